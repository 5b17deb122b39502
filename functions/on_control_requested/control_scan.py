"""Cancel, suspend or resume one scan; halt the whole stack, or lift the halt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from cascan.clock import TimeLeft, no_time_limit
from cascan.errors import GatewayUnavailable
from cascan.events import ScanResumed, ScanSuspended, build_event_fields
from cascan.events.control import Action, ControlRequested
from cascan.gateways import OperatorRecords, ReportStore, ScanGateways, StackSwitch
from cascan.ids import derive_event_id
from cascan.limits import MAX_CLOSED_PER_TRANSACTION, MAX_SCANS_RESUMED, MAX_SENDER_CHARS, MIN_TIME_LEFT_S
from cascan.model.agenda import AgendaEntry, AgendaTask, Switch
from cascan.model.scan import UNDER_WAY, Scan, ScanState, Suspension
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.recovery.operator_records import record_switch
from cascan.recovery.scan_records import store_suspension
from cascan.scans.agenda import next_minute
from cascan.scans.close import ENDED_STATES
from cascan.scans.close_open_shards import cancel_scan
from cascan.scans.load_scan import load_scan
from cascan.scans.release import release_waiting, resend_messages

# Of the function's time: for other messages of the batch, and for adding scans to the agenda
LIFT_RESERVE_S = 30.0


@dataclass(frozen=True, slots=True)
class ControlOutcome:
    """What came of a control message, for the log."""

    action: str
    scan_id: str
    by: str
    reason: str
    scan_state: str  # afterwards; empty for the whole stack
    released: int  # shards that were queued
    closing: int = 0  # shards of a cancelled scan that are still open


def control_scan(
    request: ControlRequested,
    gateways: ScanGateways,
    *,
    sender: str = "",
    reports: ReportStore,
    operator_records: OperatorRecords,
    stack_switch: StackSwitch,
    left_s: TimeLeft = no_time_limit,
) -> ControlOutcome:
    """Carry out the request. A repeat completes what was left undone; a request that is too late
    changes nothing.

    Cancelling a wide scan is only begun here: `closing` counts the shards that are still open.
    `sender`: who sent the message, according to SQS; `by` in the message is only a claim.

    Raises: MalformedMessage: there is no such scan.
    """
    match request.action:
        case Action.HALT:
            halted_at = gateways.clock()
            switch = Switch(
                halted_at=halted_at,
                by=request.by,
                reason=request.reason,
                sender=sender[:MAX_SENDER_CHARS],
            )
            stack_switch.halt(switch)
            record_switch(operator_records, stack_switch)
            return _build_outcome(request)
        case Action.LIFT:
            stack_switch.lift()
            record_switch(operator_records, stack_switch)
            released = _release_all(left_s, gateways)
            return _build_outcome(request, released=released)
    scan = load_scan(gateways.table, request.scan_id)
    if scan.members:
        return _control_members(request, scan, gateways, reports, sender)
    return _control_one(request, scan, gateways, reports, sender)


def _control_members(
    request: ControlRequested,
    scan: Scan,
    gateways: ScanGateways,
    reports: ReportStore,
    sender: str,
) -> ControlOutcome:
    """Carry out the request for a scan and for each of its members. Its state changes first."""
    outcome = _control_one(request, scan, gateways, reports, sender)
    members = filter(None, map(gateways.table.get_scan, scan.members))
    of_members = [_control_one(request, member, gateways, reports, sender) for member in members]
    return replace(
        outcome,
        released=sum(member.released for member in of_members),
        closing=sum(member.closing for member in of_members),
    )


def _control_one(
    request: ControlRequested,
    scan: Scan,
    gateways: ScanGateways,
    reports: ReportStore,
    sender: str,
) -> ControlOutcome:
    match request.action:
        case Action.CANCEL:
            # The other shards of a wide scan are closed after the whole batch
            most = MAX_CLOSED_PER_TRANSACTION
            cancelled = cancel_scan(scan.scan_id, _cancel_reason(request), gateways, most=most)
            return _build_outcome(request, cancelled or scan)
        case Action.SUSPEND:
            suspended = _suspend(scan, request, sender, gateways)
            _record_suspension(suspended, reports, is_suspended=True)
            return _build_outcome(request, suspended)
        case _:
            _record_suspension(scan, reports, is_suspended=False)
            return _resume(request, scan, gateways)


def finish_cancelling(scan_ids: Iterable[str], left_s: TimeLeft, gateways: ScanGateways) -> int:
    """Close the open shards of cancelled scans while there is time; how many of the scans have
    ended.

    The scans are on the agenda: on_minute_passed closes what is left, also of a scan that fails
    here.
    """
    ended = 0
    for scan_id in scan_ids:
        if left_s() < MIN_TIME_LEFT_S:
            break
        try:
            scan = cancel_scan(scan_id, "", gateways, left_s=left_s)
        except GatewayUnavailable:
            continue
        ended += scan is not None and scan.finished_at is not None
    return ended


def _suspend(scan: Scan, request: ControlRequested, sender: str, gateways: ScanGateways) -> Scan:
    """Suspend the scan: at the next heartbeat its workers stop nmap and return the rest."""
    suspension = Suspension(
        at=gateways.clock(),
        by=request.by,
        reason=request.reason,
        sender=sender[:MAX_SENDER_CHARS],
    )
    gateways.table.advance_scan(
        scan.scan_id,
        ScanState.SUSPENDED,
        expected=UNDER_WAY,
        suspension=suspension,
    )
    scan = gateways.table.get_scan(scan.scan_id) or scan
    if scan.state is ScanState.SUSPENDED:
        suspended_at = gateways.clock()
        event_id = derive_event_id(scan.scan_id, "suspended", suspended_at)
        fields = build_event_fields(scan, at=suspended_at)
        gateways.bus.put([ScanSuspended(**fields, event_id=event_id)])
    return scan


def _record_suspension(scan: Scan, reports: ReportStore, *, is_suspended: bool) -> None:
    """For a rebuild of the table.

    Of a scan that has ended by now, the record of its end suffices.
    """
    if scan.state is ScanState.SUSPENDED:
        store_suspension(reports, scan.scan_id, suspended=is_suspended)


def _resume(request: ControlRequested, scan: Scan, gateways: ScanGateways) -> ControlOutcome:
    """Set the state first: if the rest breaks off, the repeat finds the shards that wait."""
    gateways.table.advance_scan(scan.scan_id, ScanState.SCANNING, expected=[ScanState.SUSPENDED])
    scan = gateways.table.get_scan(scan.scan_id) or scan
    # A scan that was suspended before its messages were sent has queued shards without a message
    released = Counter(resend_messages(scan, gateways))
    released += Counter(release_waiting(scan, gateways))
    if released:
        resumed_at = gateways.clock()
        event_id = derive_event_id(scan.scan_id, "resumed", resumed_at)
        fields = build_event_fields(scan, at=resumed_at)
        # Of shards that the stack's own workers run
        lanes = dict(released) if scan.vantage == DEFAULT_VANTAGE else {}
        gateways.bus.put([ScanResumed(**fields, event_id=event_id, lanes=lanes)])
    return _build_outcome(request, scan, sum(released.values()))


def _release_all(left_s: TimeLeft, gateways: ScanGateways) -> int:
    """Release the shards of scans that waited for the halt to end; those there is no time for go on
    the agenda.

    Of more than MAX_SCANS_RESUMED scans the others continue with their next look.
    """
    released = 0
    for scan in gateways.table.list_scans(MAX_SCANS_RESUMED):
        if scan.state in ENDED_STATES or not scan.shards_waiting:
            continue
        if left_s() < LIFT_RESERVE_S:
            due_at = next_minute(gateways.clock())
            gateways.table.add_to_agenda(AgendaEntry(due_at, scan.scan_id, AgendaTask.RELEASE))
        else:
            released += sum(release_waiting(scan, gateways).values())
    return released


def _cancel_reason(request: ControlRequested) -> str:
    by = f" by {request.by}" if request.by else ""
    return f"cancelled{by}" + (f": {request.reason}" if request.reason else "")


def _build_outcome(
    request: ControlRequested,
    scan: Scan | None = None,
    released: int = 0,
) -> ControlOutcome:
    is_cancelled = scan is not None and scan.state is ScanState.CANCELLED
    return ControlOutcome(
        action=request.action,
        scan_id=request.scan_id,
        by=request.by,
        reason=request.reason,
        scan_state=scan.state if scan else "",
        released=released,
        closing=scan.shards_open if scan and is_cancelled else 0,
    )
