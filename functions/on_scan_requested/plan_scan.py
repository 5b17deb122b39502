"""A message → a planned scan with its shards queued, or a refused one with its reasons stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec.structs import replace

from cascan.agenda import first_entries
from cascan.clock import Clock
from cascan.closing import announce, cancel_scan
from cascan.errors import RequestRefused
from cascan.events import ScanPlanned, ShardQueued, about
from cascan.forms import ReadRequest, read_request
from cascan.gateways import EventBus, ReportStore, ScanTable, ShardQueues
from cascan.ids import event_id_of, scan_id_of
from cascan.model.refusal import Refusal, Rule
from cascan.model.request import ScanRequest
from cascan.model.scan import FINAL_STATES, Outcome, Scan, ScanState
from cascan.model.shard import Shard, ShardState
from cascan.pace import HouseRules, shards_at_once, shared
from cascan.permit import Permit
from cascan.planning import Plan, plan
from cascan.records import store_plan
from cascan.windows import Window, opening


@dataclass(frozen=True, slots=True)
class Planned:
    """What came of a request, for the log."""

    scan_id: str
    series: str
    refused: str  # the reasons, or empty
    shards: int
    addresses: int
    lane: str


@dataclass(frozen=True, slots=True)
class Message:
    """A request as it arrived."""

    message_id: str
    body: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.body.encode("utf-8", "surrogatepass")).hexdigest()


def plan_scan(
    message_id: str,
    body: str,
    *,
    table: ScanTable,
    reports: ReportStore,
    queues: ShardQueues,
    bus: EventBus,
    permit: Permit,
    rules: HouseRules,
    clock: Clock,
) -> Planned:
    """Store the scan and its plan, queue its shards, announce it. A repeat finishes what the first left undone.

    A request that can never succeed is stored as an Errored scan with its reasons, and is done with.
    """
    message, form = Message(message_id, body), None
    try:
        form = read_request(body)
        planned = plan(form.request, permit)
    except RequestRefused as refused:
        return _refuse(message, form and form.request, refused, rules, table=table, bus=bus, clock=clock)
    scan = _accepted(message, form, planned, rules, clock())
    if not table.create_scan(scan):
        earlier = table.get_scan(scan.scan_id) or scan
        if earlier.request_digest != message.digest:
            key = form.request.idempotency_key
            reason = f"idempotencyKey {key!r} belongs to another request, scan {scan.scan_id}"
            taken = RequestRefused([Refusal("idempotencyKey", Rule.FIELD, reason)])
            return _refuse(message, form.request, taken, rules, table=table, bus=bus, clock=clock)
        scan = earlier
    limit = rules.attempts_that_may_fail(form.request)
    table.add_shards(_shards(scan, planned, limit))
    if scan.state in (ScanState.INIT, ScanState.SUSPENDED):  # else it was kept, before its first shard was queued
        store_plan(reports, scan, _shards(scan, planned, limit))
    for entry in first_entries(scan, planned.lane):
        table.plan_at(entry)
    if scan.state is ScanState.INIT:  # Suspended waits to be resumed; any later state was queued before
        _queue(scan, planned, queues=queues, bus=bus)
        table.advance_scan(scan.scan_id, ScanState.SCANNING, frm=[ScanState.INIT])
    elif scan.state is ScanState.CANCELLED:  # before all its shards were stored
        cancel_scan(scan.scan_id, scan.error_description, table=table, queues=queues, bus=bus, clock=clock)
    return Planned(scan.scan_id, scan.name, "", scan.shards, scan.addresses, planned.lane)


def _accepted(message: Message, form: ReadRequest, planned: Plan, rules: HouseRules, now: datetime) -> Scan:
    request, shards = form.request, len(planned.slices)
    parallel = shards_at_once(planned.arguments, shards, rules.parallel(request))
    limit_s = request.active_deadline_seconds
    hours = opening([Window.parse(text) for text in request.windows], now)
    waits = request.suspend or (hours is not None and not hours.is_open)
    first = 0 if waits else min(shards, parallel)
    return Scan(
        scan_id=scan_id_of(request.idempotency_key or message.message_id),
        name=request.name,
        state=ScanState.SUSPENDED if request.suspend else ScanState.INIT,
        requested_at=now,
        cause_id=request.origin.cause_id if request.origin else message.message_id,
        hop=request.origin.hop if request.origin else 0,
        request=request,
        request_digest=message.digest,
        notes=(*form.notes, *planned.notes, *filter(None, [shared(planned.arguments, parallel)[1]])),
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
    arguments, _ = shared(planned.arguments, scan.parallel)
    first = scan.shards - scan.shards_waiting
    for shard in replace(planned, arguments=arguments).shards(scan.scan_id, backoff_limit=backoff_limit):
        yield replace(shard, state=ShardState.QUEUED if shard.number < first else ShardState.WAITING)


def _queue(scan: Scan, planned: Plan, *, queues: ShardQueues, bus: EventBus) -> None:
    """Queue the shards that start now and announce the scan. A repeat queues again, and finds each shard claimed."""
    event_id, first = event_id_of(scan.scan_id, "planned"), scan.shards_in_flight
    queues.send(
        planned.lane,
        (ShardQueued(scan_id=scan.scan_id, cause_id=event_id, hop=scan.hop, shard=number) for number in range(first)),
    )
    bus.put(
        [
            ScanPlanned(
                **about(scan, at=scan.requested_at),
                event_id=event_id,
                scan_type=planned.scan_type,
                addresses=scan.addresses,
                shards=scan.shards,
                lanes={planned.lane.value: first} if first else {},
            )
        ]
    )


def _refuse(
    message: Message,
    request: ScanRequest | None,
    refused: RequestRefused,
    rules: HouseRules,
    *,
    table: ScanTable,
    bus: EventBus,
    clock: Clock,
) -> Planned:
    """Keep the refusal where the submitter looks: under the scan id that the message id gives; of a child, its own."""
    now, origin = clock(), request.origin if request else None
    scan = Scan(
        scan_id=scan_id_of(request.idempotency_key if request and origin else message.message_id),
        name=request.name if request else "",
        state=ScanState.ERRORED,
        requested_at=now,
        finished_at=now,
        expires_after_s=rules.expires_after_s(request or ScanRequest()),
        cause_id=origin.cause_id if origin else message.message_id,
        hop=origin.hop if origin else 0,
        request=request,
        request_digest=message.digest,
        outcome=Outcome.FAILED,
        error_description=str(refused),
        refusals=refused.refusals,
    )
    if not table.create_scan(scan):
        scan = table.get_scan(scan.scan_id) or scan
    if scan.state in FINAL_STATES:
        announce(scan, table=table, bus=bus)
    return Planned(scan.scan_id, scan.name, str(refused), 0, 0, "")
