"""An accepted request → its scan in the table, with its shards queued and its plan in the bucket.

A request that names several vantages becomes a scan without shards of its own, and one scan for each
vantage: its members. Their ids are derived from its id. Everything may be repeated, and completes
what an interrupted delivery left undone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec.structs import replace

from cascan.events import ScanPlanned, ShardQueued, build_event_fields
from cascan.forms import ReadRequest
from cascan.gateways import ReportStore, ScanGateways
from cascan.ids import derive_event_id, derive_scan_id, make_shard_secret
from cascan.model.identity import NetworkIdentity
from cascan.model.scan import Scan, ScanState
from cascan.model.usage import CostBasis
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.planning.network_identities import describe_lacking_identities
from cascan.planning.plan import Plan
from cascan.recovery.scan_records import store_plan
from cascan.scans.agenda import initial_entries
from cascan.scans.close_open_shards import cancel_scan
from cascan.scans.release import find_shard_token
from cascan.timing.windows import Window, find_opening
from cascan.traces import derive_trace_id
from on_scan_requested.message import Identity, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """What the scans of an accepted request have in common."""

    message: Message
    identity: Identity
    form: ReadRequest
    expires_after_s: int | None
    now: datetime
    root_trace_id: str
    cost_bases: Mapping[str, CostBasis]  # by vantage
    identities: tuple[NetworkIdentity, ...] = ()  # empty also where the request says it


def build_scan(acceptance: Acceptance, plans: Sequence[Plan]) -> Scan:
    """The scan of the request.

    Its first shards are in flight immediately, unless it is suspended or its window is closed. With
    several plans it has members in their place.
    """
    if len(plans) == 1:
        return _build_scan(acceptance, acceptance.identity.scan_id, plans[0])
    request, scan_id = acceptance.form.request, acceptance.identity.scan_id
    notes = dict.fromkeys(note for planned in plans for note in planned.notes)
    return replace(
        _build_common(acceptance, scan_id),
        state=ScanState.SUSPENDED if request.suspend else ScanState.INIT,
        notes=(*acceptance.form.notes, *notes),
        shards=len(plans),
        shards_open=len(plans),
        shards_in_flight=len(plans),
        parallel=len(plans),
        addresses=sum(planned.addresses for planned in plans),
        probes=sum(planned.probes for planned in plans),
        vantage="",
        members=tuple(_derive_member_id(scan_id, planned.vantage) for planned in plans),
    )


def start_scan(
    scan: Scan, plans: Sequence[Plan], acceptance: Acceptance, gateways: ScanGateways, reports: ReportStore
) -> None:
    """Store the shards and the plan of the scan, or of its members, and queue the first shards."""
    if not scan.members:
        _start(scan, plans[0], gateways, reports)
        return
    if scan.state in (ScanState.INIT, ScanState.SUSPENDED):
        store_plan(reports, scan, ())
    for planned in plans:
        member = _create_member(scan, planned, acceptance, gateways)
        _start(member, planned, gateways, reports)
    if scan.state is ScanState.INIT:
        _announce(scan, plans[0], gateways)
        gateways.table.advance_scan(scan.scan_id, ScanState.SCANNING, expected=[ScanState.INIT])
    elif scan.state is ScanState.CANCELLED:  # maybe before all its members were stored
        cancel_scan(scan.scan_id, scan.error_description, gateways)


def _create_member(scan: Scan, planned: Plan, acceptance: Acceptance, gateways: ScanGateways) -> Scan:
    """The member for the plan's vantage, as it is stored."""
    request = replace(acceptance.form.request, vantage=(planned.vantage,), idempotency_key="")
    form = ReadRequest(request, acceptance.form.notes)
    of_member = dataclasses.replace(acceptance, form=form, now=scan.requested_at)
    member = _build_scan(of_member, _derive_member_id(scan.scan_id, planned.vantage), planned)
    member = replace(member, member_of=scan.scan_id, trace_id=scan.trace_id)
    if gateways.table.create_scan(member):
        return member
    return gateways.table.get_scan(member.scan_id) or member


def _derive_member_id(scan_id: str, vantage: str) -> str:
    return derive_scan_id(f"member/{scan_id}/{vantage}")


def _build_common(acceptance: Acceptance, scan_id: str) -> Scan:
    """What every scan of the request has, whatever is planned for it."""
    request, message = acceptance.form.request, acceptance.message
    return Scan(
        scan_id=scan_id,
        name=request.name,
        state=ScanState.INIT,
        requested_at=acceptance.now,
        cause_id=request.origin.cause_id if request.origin else message.message_id,
        hop=request.origin.hop if request.origin else 0,
        request=request,
        requested_by=message.requested_by,
        trace_id=acceptance.root_trace_id or derive_trace_id(scan_id, acceptance.now),
        request_digest=message.digest,
        expires_after_s=acceptance.expires_after_s,
        identities=acceptance.identities,
    )


def _build_scan(acceptance: Acceptance, scan_id: str, planned: Plan) -> Scan:
    request, shards, now = acceptance.form.request, len(planned.slices), acceptance.now
    limit_s = request.active_deadline_seconds
    opening = find_opening([Window.parse(text) for text in request.windows], now)
    has_to_wait = request.suspend or (opening is not None and not opening.is_open)
    in_flight = 0 if has_to_wait else min(shards, planned.parallel)
    identity_notes = describe_lacking_identities(acceptance.identities, planned)
    return replace(
        _build_common(acceptance, scan_id),
        state=ScanState.SUSPENDED if request.suspend else ScanState.INIT,
        notes=(*acceptance.form.notes, *planned.notes, *identity_notes),
        shards=shards,
        shards_open=shards,
        shards_waiting=shards - in_flight,
        shards_in_flight=in_flight,
        parallel=planned.parallel,
        deadline_at=now + timedelta(seconds=limit_s) if limit_s else None,
        windows=request.windows,
        addresses=planned.addresses,
        probes=planned.probes,
        vantage=planned.vantage,
        express_vantage=planned.express_vantage,
        cost_basis=acceptance.cost_bases[planned.vantage],
        shard_secret=make_shard_secret(),
    )


def _start(scan: Scan, planned: Plan, gateways: ScanGateways, reports: ReportStore) -> None:
    """Store the scan's shards and plan, and queue the first shards, unless it was done before."""
    table = gateways.table
    planned = replace(planned, parallel=scan.parallel)  # the default may have changed since
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
    messages = (
        ShardQueued(
            scan_id=scan.scan_id,
            cause_id=_planned_event_id(scan),
            hop=scan.hop,
            shard=number,
            token=find_shard_token(scan, number),
            trace_id=scan.trace_id,
        )
        for number in range(scan.shards_in_flight)
    )
    gateways.queues.send(planned.lane, messages, vantage=scan.vantage)
    _announce(scan, planned, gateways)


def _announce(scan: Scan, planned: Plan, gateways: ScanGateways) -> None:
    """Put ScanPlanned on the bus, with the shards that the stack's own workers have to run."""
    queued = scan.shards_in_flight if scan.vantage == DEFAULT_VANTAGE else 0
    announcement = ScanPlanned(
        **build_event_fields(scan, at=scan.requested_at),
        event_id=_planned_event_id(scan),
        scan_type=planned.scan_type,
        addresses=scan.addresses,
        shards=scan.shards,
        lanes={planned.lane.value: queued} if queued else {},
    )
    gateways.bus.put([announcement])


def _planned_event_id(scan: Scan) -> str:
    return derive_event_id(scan.scan_id, "planned")
