"""A message → a planned scan with its shards queued, or a refused one with its reasons stored."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from cascan.clock import Clock
from cascan.closing import announce
from cascan.errors import RequestRefused
from cascan.events import ScanPlanned, ShardQueued, about
from cascan.forms import read_request
from cascan.gateways import EventBus, ScanTable, ShardQueues
from cascan.ids import event_id_of, scan_id_of
from cascan.model.refusal import Refusal, Rule
from cascan.model.request import ScanRequest
from cascan.model.scan import FINAL_STATES, Outcome, Scan, ScanState
from cascan.model.shard import ShardState
from cascan.planning import Plan, plan
from cascan.policy import PolicyProfile
from cascan.reach import Reach
from cascan.scope import Scope


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
    queues: ShardQueues,
    bus: EventBus,
    scope: Scope,
    policy: PolicyProfile = PolicyProfile.SAFE,
    express_reaches_private: bool,
    raw_scans: bool,
    reach: Reach | None = None,
    clock: Clock,
) -> Planned:
    """Store the scan, queue its shards, announce it. A repeat of the message finishes what the first left undone.

    A request that can never succeed is stored as an Errored scan with its reasons, and is done with.
    """
    message, form = Message(message_id, body), None
    try:
        form = read_request(body)
        planned = plan(
            form.request,
            scope,
            policy=policy,
            express_reaches_private=express_reaches_private,
            raw_scans=raw_scans,
            reach=reach,
        )
    except RequestRefused as refused:
        return _refuse(message, form and form.request, refused, table=table, bus=bus, clock=clock)
    request, now, shards = form.request, clock(), len(planned.slices)
    limit_s = request.active_deadline_seconds
    scan = Scan(
        scan_id=scan_id_of(form.request.idempotency_key or message_id),
        name=form.request.name,
        state=ScanState.SUSPENDED if form.request.suspend else ScanState.INIT,
        requested_at=now,
        cause_id=request.origin.cause_id if request.origin else message_id,
        hop=request.origin.hop if request.origin else 0,
        request=form.request,
        request_digest=message.digest,
        notes=(*form.notes, *planned.notes),
        shards=shards,
        shards_open=shards,
        shards_waiting=shards if request.suspend else 0,
        shards_in_flight=0 if request.suspend else shards,
        windows=request.windows,
        deadline_at=now + timedelta(seconds=limit_s) if limit_s else None,
        addresses=planned.addresses,
        probes=planned.probes,
    )
    if not table.create_scan(scan):
        earlier = table.get_scan(scan.scan_id) or scan
        if earlier.request_digest != message.digest:
            reason = f"idempotencyKey {form.request.idempotency_key!r} belongs to another request, scan {scan.scan_id}"
            taken = RequestRefused([Refusal("idempotencyKey", Rule.FIELD, reason)])
            return _refuse(message, form.request, taken, table=table, bus=bus, clock=clock)
        scan = earlier
    first = ShardState.WAITING if request.suspend else ShardState.QUEUED
    table.add_shards(planned.shards(scan.scan_id, backoff_limit=request.backoff_limit, state=first))
    if scan.state is ScanState.INIT:  # Suspended waits to be resumed; any later state was queued before
        _queue(scan, planned, queues=queues, bus=bus)
        table.advance_scan(scan.scan_id, ScanState.SCANNING, frm=[ScanState.INIT])
    return Planned(scan.scan_id, scan.name, "", scan.shards, scan.addresses, planned.lane)


def _queue(scan: Scan, planned: Plan, *, queues: ShardQueues, bus: EventBus) -> None:
    """Queue every shard and announce the scan. A repeat queues again, and finds each shard claimed."""
    event_id = event_id_of(scan.scan_id, "planned")
    queues.send(
        planned.lane,
        (
            ShardQueued(scan_id=scan.scan_id, cause_id=event_id, hop=scan.hop, shard=number)
            for number in range(scan.shards)
        ),
    )
    bus.put(
        [
            ScanPlanned(
                **about(scan, at=scan.requested_at),
                event_id=event_id,
                scan_type=planned.scan_type,
                addresses=scan.addresses,
                shards=scan.shards,
                lanes={planned.lane.value: scan.shards},
            )
        ]
    )


def _refuse(
    message: Message,
    request: ScanRequest | None,
    refused: RequestRefused,
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
