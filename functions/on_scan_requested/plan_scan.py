"""A message → a planned scan with its shards queued, or a refused one with its reasons stored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

from msgspec.structs import replace

from cascan.clock import Clock
from cascan.errors import RequestRefused
from cascan.events import ScanPlanned, ShardQueued, build_event_fields
from cascan.forms import ReadRequest, find_idempotency_key, parse_request, read_request_document
from cascan.gateways import EventBus, IssuedRequests, ReportStore, ScanTable, ShardQueues
from cascan.ids import derive_event_id, derive_scan_id
from cascan.model.refusal import Refusal, Rule
from cascan.model.request import ScanRequest
from cascan.model.scan import Scan, ScanState
from cascan.model.shard import Shard, ShardState
from cascan.permissions.permissions import Permissions
from cascan.planning.plan import Plan, plan
from cascan.planning.rates import ScanDefaults, shards_at_once, split_rates
from cascan.recovery.scan_records import REQUEST, store_plan
from cascan.scans.agenda import initial_entries
from cascan.scans.close_open_shards import cancel_scan
from cascan.timing.windows import Window, find_opening
from on_scan_requested.bounded_work import bounded_work
from on_scan_requested.message import Identity, Message, identify
from on_scan_requested.refusal import GIVEN_UP, PlanningResult, store_refusal


def plan_scan(
    message: Message,
    *,
    is_last_delivery: bool = False,
    issued: IssuedRequests,
    table: ScanTable,
    reports: ReportStore,
    queues: ShardQueues,
    bus: EventBus,
    permit: Permissions,
    rules: ScanDefaults,
    clock: Clock,
) -> PlanningResult:
    """Store the scan and its plan, queue its shards, announce it. A repeat finishes what the first left undone.

    A request that can never succeed is stored as an Errored scan with its reasons, and is done with. So is one whose
    planning never came to an end: `is_last_delivery` says that its queue has given it up.
    """
    refuse = partial(store_refusal, message, rules=rules, table=table, bus=bus, clock=clock)
    request: ScanRequest | None = None
    try:
        with bounded_work():
            document = read_request_document(message.body)
            key = find_idempotency_key(document)
    except RequestRefused as refused:
        return refuse(Identity(derive_scan_id(message.message_id)), request, refused)
    identity = identify(message, key, issued)
    if is_last_delivery and table.get_scan(identity.scan_id) is None:
        reports.put_record(identity.scan_id, REQUEST, [message.body.encode("utf-8", "surrogatepass")])
        return refuse(identity, request, RequestRefused([GIVEN_UP], Rule.LIMIT))
    try:
        with bounded_work():
            form = parse_request(document, is_issued=identity.is_issued)
            request = form.request
            planned = plan(request, permit)
    except RequestRefused as refused:
        return refuse(identity, request, refused)
    scan = _accepted(message, identity, form, planned, rules=rules, now=clock())
    if not table.create_scan(scan):
        earlier = table.get_scan(scan.scan_id) or scan
        if earlier.request_digest != message.digest:
            return refuse(Identity(derive_scan_id(message.message_id)), request, _key_is_taken(key, earlier))
        if earlier.refusals:  # by an earlier delivery, under a policy that has changed since
            return refuse(identity, request, RequestRefused(earlier.refusals))
        scan = earlier
    limit = rules.choose_backoff_limit(form.request)
    _start(scan, planned, limit, table=table, reports=reports, queues=queues, bus=bus, clock=clock)
    return PlanningResult(scan.scan_id, scan.name, "", scan.shards, scan.addresses, planned.lane)


def _start(
    scan: Scan,
    planned: Plan,
    limit: int,
    *,
    table: ScanTable,
    reports: ReportStore,
    queues: ShardQueues,
    bus: EventBus,
    clock: Clock,
) -> None:
    """Store the scan's shards and its plan, and queue what starts now, as far as an earlier delivery did not."""
    table.add_shards(_shards(scan, planned, limit))
    if scan.state in (ScanState.INIT, ScanState.SUSPENDED):  # else it was kept, before its first shard was queued
        store_plan(reports, scan, _shards(scan, planned, limit))
    for entry in initial_entries(scan, planned.lane):
        table.add_to_agenda(entry)
    if scan.state is ScanState.INIT:  # Suspended waits to be resumed; any later state was queued before
        _queue(scan, planned, queues=queues, bus=bus)
        table.advance_scan(scan.scan_id, ScanState.SCANNING, expected=[ScanState.INIT])
    elif scan.state is ScanState.CANCELLED:  # before all its shards were stored
        cancel_scan(scan.scan_id, scan.error_description, table=table, queues=queues, bus=bus, clock=clock)


def _key_is_taken(key: str, earlier: Scan) -> RequestRefused:
    was_refused = ", which was refused" if earlier.refusals else ""
    reason = f"idempotencyKey {key!r} belongs to another request of yours, scan {earlier.scan_id}{was_refused}"
    return RequestRefused([Refusal("idempotencyKey", Rule.FIELD, f"{reason}; choose another key")])


def _accepted(
    message: Message, identity: Identity, form: ReadRequest, planned: Plan, *, rules: ScanDefaults, now: datetime
) -> Scan:
    request, shards = form.request, len(planned.slices)
    parallel = shards_at_once(planned.arguments, shards, rules.parallel(request))
    limit_s = request.active_deadline_seconds
    hours = find_opening([Window.parse(text) for text in request.windows], now)
    waits = request.suspend or (hours is not None and not hours.is_open)
    first = 0 if waits else min(shards, parallel)
    return Scan(
        scan_id=identity.scan_id,
        name=request.name,
        state=ScanState.SUSPENDED if request.suspend else ScanState.INIT,
        requested_at=now,
        cause_id=request.origin.cause_id if request.origin else message.message_id,
        hop=request.origin.hop if request.origin else 0,
        request=request,
        request_digest=message.digest,
        notes=(*form.notes, *planned.notes, *filter(None, [split_rates(planned.arguments, parallel)[1]])),
        shards=shards,
        shards_open=shards,
        shards_waiting=shards - first,
        shards_in_flight=first,
        parallel=parallel,
        deadline_at=now + timedelta(seconds=limit_s) if limit_s else None,
        expires_after_s=rules.expires_after_s(request),
        windows=request.windows,
        addresses=planned.addresses,
        probes=planned.probes,
    )


def _shards(scan: Scan, planned: Plan, backoff_limit: int) -> Iterator[Shard]:
    """The scan's shards: those that start now are queued, the others wait."""
    arguments, _ = split_rates(planned.arguments, scan.parallel)
    first = scan.shards - scan.shards_waiting
    for shard in replace(planned, arguments=arguments).shards(scan.scan_id, backoff_limit=backoff_limit):
        yield replace(shard, state=ShardState.QUEUED if shard.number < first else ShardState.WAITING)


def _queue(scan: Scan, planned: Plan, *, queues: ShardQueues, bus: EventBus) -> None:
    """Queue the shards that start now and announce the scan. A repeat queues again, and finds each shard claimed."""
    event_id, first = derive_event_id(scan.scan_id, "planned"), scan.shards_in_flight
    queues.send(
        planned.lane,
        (ShardQueued(scan_id=scan.scan_id, cause_id=event_id, hop=scan.hop, shard=number) for number in range(first)),
    )
    bus.put(
        [
            ScanPlanned(
                **build_event_fields(scan, at=scan.requested_at),
                event_id=event_id,
                scan_type=planned.scan_type,
                addresses=scan.addresses,
                shards=scan.shards,
                lanes={planned.lane.value: first} if first else {},
            )
        ]
    )
