"""A message → a planned scan with its shards queued, or a refused one with its reasons stored."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from msgspec.structs import replace

from cascan.cost.budget import STANDARD_LIMIT, CostLimit, build_cost_basis, require_budget
from cascan.errors import RequestRefused
from cascan.events import ScanPlanned, ShardQueued, build_event_fields
from cascan.forms import ReadRequest, find_idempotency_key, parse_request, read_request_document
from cascan.gateways import IssuedRequests, ReportStore, ScanGateways, Scans
from cascan.ids import derive_event_id, derive_scan_id, make_shard_secret
from cascan.log_context import add_log_context
from cascan.model.refusal import Refusal, Rule
from cascan.model.request import ScanRequest
from cascan.model.scan import Scan, ScanState
from cascan.permissions.permissions import Permissions
from cascan.planning.plan import Plan, plan
from cascan.planning.rates import ScanDefaults
from cascan.recovery.scan_records import REQUEST, store_plan
from cascan.scans.agenda import initial_entries
from cascan.scans.close_open_shards import cancel_scan
from cascan.scans.release import find_shard_token
from cascan.timing.windows import Window, find_opening
from cascan.traces import derive_trace_id
from on_scan_requested.bounded_work import bounded_work
from on_scan_requested.message import Identity, Message, identify
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
            planned = plan(request, permissions, defaults)
            require_budget(request, planned, cost_limit)
            cost_basis = build_cost_basis(planned, cost_limit)
    except RequestRefused as refused:
        return refuse(identity, request, refused)
    scan = _build_scan(
        message,
        identity,
        form,
        planned,
        expires_after_s=defaults.choose_expiry_s(request),
        now=gateways.clock(),
        root_trace_id=_find_root_trace_id(request, table),
    )
    scan = replace(scan, cost_basis=cost_basis)
    if not table.create_scan(scan):
        earlier = table.get_scan(scan.scan_id) or scan
        if earlier.request_digest != message.digest:
            return refuse(fallback, request, _refuse_taken_key(key, earlier))
        if earlier.refusals:  # of an earlier delivery; the operator's settings have changed since
            return refuse(identity, request, RequestRefused(earlier.refusals))
        scan = earlier
        planned = replace(planned, parallel=earlier.parallel)  # the default may have changed since
    add_log_context(trace_id=scan.trace_id)
    _start(scan, planned, gateways, reports)
    return PlanningResult(scan.scan_id, scan.name, "", scan.shards, scan.addresses, planned.lane)


def _refuse_taken_key(key: str, earlier: Scan) -> RequestRefused:
    was_refused = ", which was refused" if earlier.refusals else ""
    owner = f"another request of yours, scan {earlier.scan_id}{was_refused}"
    reason = f"idempotencyKey {key!r} belongs to {owner}; choose another key"
    return RequestRefused([Refusal("idempotencyKey", Rule.FIELD, reason)])


def _find_root_trace_id(request: ScanRequest, table: Scans) -> str:
    """The trace id of the root scan, for the request of a cascade; otherwise empty."""
    if request.origin is None:
        return ""
    add_log_context(parent_scan=request.origin.parent_scan)
    root = table.get_scan(request.origin.root_scan)
    return root.trace_id if root else ""


def _build_scan(
    message: Message,
    identity: Identity,
    form: ReadRequest,
    planned: Plan,
    *,
    expires_after_s: int | None,
    now: datetime,
    root_trace_id: str,
) -> Scan:
    """The scan of an accepted request.

    Its first shards are in flight immediately, unless it is suspended or its window is closed.
    """
    request, shards = form.request, len(planned.slices)
    limit_s = request.active_deadline_seconds
    opening = find_opening([Window.parse(text) for text in request.windows], now)
    has_to_wait = request.suspend or (opening is not None and not opening.is_open)
    in_flight = 0 if has_to_wait else min(shards, planned.parallel)
    return Scan(
        scan_id=identity.scan_id,
        name=request.name,
        state=ScanState.SUSPENDED if request.suspend else ScanState.INIT,
        requested_at=now,
        cause_id=request.origin.cause_id if request.origin else message.message_id,
        hop=request.origin.hop if request.origin else 0,
        request=request,
        requested_by=message.requested_by,
        trace_id=root_trace_id or derive_trace_id(identity.scan_id, now),
        request_digest=message.digest,
        notes=(*form.notes, *planned.notes),
        shards=shards,
        shards_open=shards,
        shards_waiting=shards - in_flight,
        shards_in_flight=in_flight,
        parallel=planned.parallel,
        deadline_at=now + timedelta(seconds=limit_s) if limit_s else None,
        expires_after_s=expires_after_s,
        windows=request.windows,
        addresses=planned.addresses,
        probes=planned.probes,
        shard_secret=make_shard_secret(),
    )


def _start(scan: Scan, planned: Plan, gateways: ScanGateways, reports: ReportStore) -> None:
    """Store the scan's shards and plan, and queue the first shards, unless it was done before."""
    table = gateways.table
    queued = scan.shards - scan.shards_waiting
    table.add_shards(planned.shards(scan.scan_id, queued=queued))
    if scan.state in (ScanState.INIT, ScanState.SUSPENDED):  # later the plan is stored already
        store_plan(reports, scan, planned.shards(scan.scan_id, queued=queued))
    for entry in initial_entries(scan, planned.lane):
        table.add_to_agenda(entry)
    if scan.state is ScanState.INIT:  # a suspended scan waits; later its shards are queued already
        _queue(scan, planned, gateways)
        table.advance_scan(scan.scan_id, ScanState.SCANNING, expected=[ScanState.INIT])
    elif scan.state is ScanState.CANCELLED:  # maybe before all its shards were stored
        cancel_scan(scan.scan_id, scan.error_description, gateways)


def _queue(scan: Scan, planned: Plan, gateways: ScanGateways) -> None:
    """Queue the first shards and announce the scan.

    A repeat queues them again; workers skip claimed shards.
    """
    event_id = derive_event_id(scan.scan_id, "planned")
    queued = scan.shards_in_flight
    messages = (
        ShardQueued(
            scan_id=scan.scan_id,
            cause_id=event_id,
            hop=scan.hop,
            shard=number,
            token=find_shard_token(scan, number),
            trace_id=scan.trace_id,
        )
        for number in range(queued)
    )
    gateways.queues.send(planned.lane, messages)
    announcement = ScanPlanned(
        **build_event_fields(scan, at=scan.requested_at),
        event_id=event_id,
        scan_type=planned.scan_type,
        addresses=scan.addresses,
        shards=scan.shards,
        lanes={planned.lane.value: queued} if queued else {},
    )
    gateways.bus.put([announcement])
