"""Cancel, suspend, resume one scan; halt the whole stack, and let it go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from cascan.clock import Clock, TimeLeft, no_time_limit
from cascan.errors import GatewayUnavailable, MalformedMessage
from cascan.events import ScanResumed, ScanSuspended, build_event_fields
from cascan.events.control import Action, ControlRequested
from cascan.gateways import EventBus, OperatorRecords, ReportStore, ScanTable, ShardQueues
from cascan.ids import derive_event_id
from cascan.limits import MAX_CLOSED_PER_TRANSACTION, MAX_SCANS_RESUMED, MIN_TIME_LEFT_S
from cascan.model.agenda import AgendaEntry, AgendaTask, Switch
from cascan.model.scan import UNDER_WAY, Scan, ScanState
from cascan.recovery.operator_records import record_switch
from cascan.recovery.scan_records import store_suspension
from cascan.scans.agenda import next_minute
from cascan.scans.close import ENDED_STATES
from cascan.scans.close_open_shards import cancel_scan
from cascan.scans.release import release_waiting, resend_messages

LIFT_RESERVE_S = 30.0  # of the function's time, for other messages of the batch and for what is only put on the agenda


@dataclass(frozen=True, slots=True)
class Controlled:
    """What came of it, for the log."""

    action: str
    scan_id: str
    by: str
    reason: str
    scan_state: str  # afterwards; empty for the whole stack
    released: int  # shards that were queued
    closing: int = 0  # shards of a cancelled scan that are open still


def control_scan(
    asked: ControlRequested,
    *,
    sender: str = "",
    table: ScanTable,
    reports: ReportStore,
    house: OperatorRecords,
    queues: ShardQueues,
    bus: EventBus,
    clock: Clock,
    left_s: TimeLeft = no_time_limit,
) -> Controlled:
    """Do it; a repeat finds it done and completes what was left. What comes too late for a scan changes nothing.

    What grows with the scan is only begun here: `closing` says that shards of a cancelled scan are open still.
    `sender`: who sent the message, as SQS tells it; `by` in the message is what somebody claims.

    Raises: MalformedMessage: there is no such scan.
    """
    match asked.action:
        case Action.HALT:
            table.halt(Switch(halted_at=clock(), by=asked.by, reason=asked.reason, sender=sender))
            record_switch(house, table)
            return _controlled(asked)
        case Action.LIFT:
            table.lift()
            record_switch(house, table)
            return _controlled(asked, released=_release_all(left_s, table=table, queues=queues, clock=clock))
    scan = table.get_scan(asked.scan_id)
    if scan is None:
        raise MalformedMessage(f"there is no scan {asked.scan_id}")
    match asked.action:
        case Action.CANCEL:
            why, most = (
                _why(asked),
                MAX_CLOSED_PER_TRANSACTION,
            )  # a wide scan has the rest closed behind the whole batch
            scan = cancel_scan(scan.scan_id, why, table=table, queues=queues, bus=bus, clock=clock, most=most) or scan
            return _controlled(asked, scan)
        case Action.SUSPEND:
            scan = _suspend(scan, table=table, bus=bus, clock=clock)
            _keep_suspension(scan, reports)
            return _controlled(asked, scan)
        case _:
            _keep_suspension(scan, reports, resumed=True)
            return _resume(asked, scan, table=table, queues=queues, bus=bus, clock=clock)


def finish_cancelling(
    scan_ids: Iterable[str],
    left_s: TimeLeft,
    *,
    table: ScanTable,
    queues: ShardQueues,
    bus: EventBus,
    clock: Clock,
) -> int:
    """Close what is left of cancelled scans while there is time; how many of them are at their end.

    They are on the agenda: whatever is not done here, or fails, is on_minute_passed's.
    """
    ended = 0
    for scan_id in scan_ids:
        if left_s() < MIN_TIME_LEFT_S:
            break
        try:
            scan = cancel_scan(scan_id, "", table=table, queues=queues, bus=bus, clock=clock, left_s=left_s)
        except GatewayUnavailable:
            continue
        ended += scan is not None and scan.finished_at is not None
    return ended


def _suspend(scan: Scan, *, table: ScanTable, bus: EventBus, clock: Clock) -> Scan:
    """Workers see the state with their next heartbeat, stop nmap and put back what it did not finish."""
    table.advance_scan(scan.scan_id, ScanState.SUSPENDED, expected=UNDER_WAY)
    scan = table.get_scan(scan.scan_id) or scan
    if scan.state is ScanState.SUSPENDED:
        at = clock()
        bus.put(
            [ScanSuspended(**build_event_fields(scan, at=at), event_id=derive_event_id(scan.scan_id, "suspended", at))]
        )
    return scan


def _keep_suspension(scan: Scan, reports: ReportStore, *, resumed: bool = False) -> None:
    """For a rebuild of the table. Of a scan that has ended by now, its end says all."""
    if scan.state is ScanState.SUSPENDED:
        store_suspension(reports, scan.scan_id, suspended=not resumed)


def _resume(
    asked: ControlRequested, scan: Scan, *, table: ScanTable, queues: ShardQueues, bus: EventBus, clock: Clock
) -> Controlled:
    """The state first: what breaks off after it is mended by the repeat, which finds shards that wait."""
    table.advance_scan(scan.scan_id, ScanState.SCANNING, expected=[ScanState.SUSPENDED])
    scan = table.get_scan(scan.scan_id) or scan
    # suspended before its messages were out, it has shards that are queued and nobody hears of
    released = Counter(resend_messages(scan, table=table, queues=queues, clock=clock))
    released += Counter(release_waiting(scan, table=table, queues=queues, clock=clock))
    if released:
        at = clock()
        event_id = derive_event_id(scan.scan_id, "resumed", at)
        bus.put([ScanResumed(**build_event_fields(scan, at=at), event_id=event_id, lanes=dict(released))])
    return _controlled(asked, scan, sum(released.values()))


def _release_all(left_s: TimeLeft, *, table: ScanTable, queues: ShardQueues, clock: Clock) -> int:
    """What waited for the switch goes on: as many scans as there is time for, the next ones with the next minute.

    Of more than MAX_SCANS_RESUMED scans the others go on with their next look.
    """
    released = 0
    for scan in table.list_scans(MAX_SCANS_RESUMED):
        if scan.state in ENDED_STATES or not scan.shards_waiting:
            continue
        if left_s() < LIFT_RESERVE_S:
            table.add_to_agenda(AgendaEntry(next_minute(clock()), scan.scan_id, AgendaTask.RELEASE))
        else:
            released += sum(release_waiting(scan, table=table, queues=queues, clock=clock).values())
    return released


def _why(asked: ControlRequested) -> str:
    by = f" by {asked.by}" if asked.by else ""
    return f"cancelled{by}" + (f": {asked.reason}" if asked.reason else "")


def _controlled(asked: ControlRequested, scan: Scan | None = None, released: int = 0) -> Controlled:
    state, closing = (scan.state, scan.shards_open) if scan else ("", 0)
    closing = closing if state is ScanState.CANCELLED else 0
    return Controlled(asked.action, asked.scan_id, asked.by, asked.reason, state, released, closing)
