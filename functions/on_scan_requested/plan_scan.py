"""A message → a planned scan with its shards queued, or a refused one with its reasons stored."""

from __future__ import annotations

from functools import partial

from cascan.cost.budget import STANDARD_LIMIT, CostLimit, build_cost_basis, require_budget
from cascan.errors import RequestRefused
from cascan.forms import find_idempotency_key, parse_request, read_request_document
from cascan.gateways import IssuedRequests, NetworkIdentities, ReportStore, ScanGateways, Scans
from cascan.ids import derive_scan_id
from cascan.log_context import add_log_context
from cascan.model.identity import NetworkIdentity
from cascan.model.refusal import Refusal, Rule
from cascan.model.request import ScanRequest
from cascan.model.scan import Scan
from cascan.permissions.permissions import Permissions
from cascan.planning.rates import ScanDefaults
from cascan.recovery.scan_records import REQUEST
from on_scan_requested.accept_scan import Acceptance, build_scan, start_scan
from on_scan_requested.bounded_work import bounded_work
from on_scan_requested.message import Identity, Message, identify
from on_scan_requested.plan_at_vantages import plan_at_vantages
from on_scan_requested.store_refusal import GIVEN_UP, PlanningResult, store_refusal


def plan_scan(
    message: Message,
    gateways: ScanGateways,
    *,
    is_last_delivery: bool = False,
    issued: IssuedRequests,
    reports: ReportStore,
    permissions: Permissions,
    defaults: ScanDefaults,
    cost_limit: CostLimit = STANDARD_LIMIT,
) -> PlanningResult:
    """Store the scan and its plan, queue its shards, announce it.

    A repeated delivery completes an interrupted one.

    A request that can never succeed is stored as an Errored scan with the reasons. So is a request
    whose planning never finished: `is_last_delivery` says that its queue gave up on it.
    """
    table = gateways.table
    refuse = partial(store_refusal, message, defaults=defaults, gateways=gateways)
    fallback = Identity(derive_scan_id(message.message_id))
    add_log_context(scan_id=fallback.scan_id)
    request: ScanRequest | None = None
    try:
        with bounded_work():
            document = read_request_document(message.body)
            key = find_idempotency_key(document)
    except RequestRefused as refused:
        return refuse(fallback, request, refused)
    identity = identify(message, key, issued)
    add_log_context(scan_id=identity.scan_id)
    if is_last_delivery and table.get_scan(identity.scan_id) is None:
        body = message.body.encode("utf-8", "surrogatepass")
        reports.put_record(identity.scan_id, REQUEST, [body])
        return refuse(identity, request, RequestRefused([GIVEN_UP], Rule.LIMIT))
    try:
        with bounded_work():
            form = parse_request(document, is_issued=identity.is_issued)
            request = form.request
            plans = plan_at_vantages(request, permissions, defaults, table)
            require_budget(request, plans, cost_limit)
            cost_bases = {planned.vantage: build_cost_basis(planned, cost_limit) for planned in plans}
    except RequestRefused as refused:
        return refuse(identity, request, refused)
    acceptance = Acceptance(
        message=message,
        identity=identity,
        form=form,
        expires_after_s=defaults.choose_expiry_s(request),
        now=gateways.clock(),
        root_trace_id=_find_root_trace_id(request, table),
        cost_bases=cost_bases,
        identities=_find_identities(request, table),
    )
    scan = build_scan(acceptance, plans)
    if not table.create_scan(scan):
        earlier = table.get_scan(scan.scan_id) or scan
        if earlier.request_digest != message.digest:
            return refuse(fallback, request, _refuse_taken_key(key, earlier))
        if earlier.refusals:  # of an earlier delivery; the operator's settings have changed since
            return refuse(identity, request, RequestRefused(earlier.refusals))
        scan = earlier
    add_log_context(trace_id=scan.trace_id)
    start_scan(scan, plans, acceptance, gateways, reports)
    lanes = dict.fromkeys(planned.lane.value for planned in plans)
    return PlanningResult(scan.scan_id, scan.name, "", scan.shards, scan.addresses, ", ".join(lanes))


def _refuse_taken_key(key: str, earlier: Scan) -> RequestRefused:
    was_refused = ", which was refused" if earlier.refusals else ""
    owner = f"another request of yours, scan {earlier.scan_id}{was_refused}"
    reason = f"idempotencyKey {key!r} belongs to {owner}; choose another key"
    return RequestRefused([Refusal("idempotencyKey", Rule.FIELD, reason)])


def _find_identities(request: ScanRequest, table: NetworkIdentities) -> tuple[NetworkIdentity, ...]:
    """By what the hosts of networks are known now, unless the request says it."""
    stored = None if request.identity else table.network_identities()
    return stored.networks if stored else ()


def _find_root_trace_id(request: ScanRequest, table: Scans) -> str:
    """The trace id of the root scan, for the request of a cascade; otherwise empty."""
    if request.origin is None:
        return ""
    add_log_context(parent_scan=request.origin.parent_scan)
    root = table.get_scan(request.origin.root_scan)
    return root.trace_id if root else ""
