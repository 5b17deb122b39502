"""Cancel, suspend, resume one scan; halt the whole stack, and let it go on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from cascan.clock import Clock
from cascan.closing import ENDED, cancel_scan
from cascan.control import Action, ControlRequested
from cascan.errors import MalformedMessage
from cascan.events import ScanResumed, ScanSuspended, about
from cascan.gateways import EventBus, HouseRecords, ReportStore, ScanTable, ShardQueues
from cascan.house_records import keep_switch
from cascan.ids import event_id_of
from cascan.limits import MAX_SCANS_LIFTED
from cascan.model.agenda import Switch
from cascan.model.scan import UNDER_WAY, Scan, ScanState
from cascan.records import store_suspension
from cascan.releasing import release_next, send_again


@dataclass(frozen=True, slots=True)
class Controlled:
    """What came of it, for the log."""

    action: str
    scan_id: str
    by: str
    reason: str
    scan_state: str  # afterwards; empty for the whole stack
    released: int  # shards that were queued


def control(
    asked: ControlRequested,
    *,
    sender: str = "",
    table: ScanTable,
    reports: ReportStore,
    house: HouseRecords,
    queues: ShardQueues,
    bus: EventBus,
    clock: Clock,
) -> Controlled:
    """Do it; a repeat finds it done and completes what was left. What comes too late for a scan changes nothing.

    `sender`: who sent the message, as SQS tells it; `by` in the message is what somebody claims.

    Raises: MalformedMessage: there is no such scan.
    """
    match asked.action:
        case Action.HALT:
            table.halt(Switch(halted_at=clock(), by=asked.by, reason=asked.reason, sender=sender))
            keep_switch(house, table)
            return _controlled(asked)
        case Action.LIFT:
            table.lift()
            keep_switch(house, table)
            return _controlled(asked, released=_release_all(table=table, queues=queues, clock=clock))
    scan = table.get_scan(asked.scan_id)
    if scan is None:
        raise MalformedMessage(f"there is no scan {asked.scan_id}")
    match asked.action:
        case Action.CANCEL:
            scan = cancel_scan(scan.scan_id, _why(asked), table=table, queues=queues, bus=bus, clock=clock) or scan
            return _controlled(asked, scan)
        case Action.SUSPEND:
            scan = _suspend(scan, table=table, bus=bus, clock=clock)
            _keep_suspension(scan, reports)
            return _controlled(asked, scan)
        case _:
            _keep_suspension(scan, reports, resumed=True)
            return _resume(asked, scan, table=table, queues=queues, bus=bus, clock=clock)


def _suspend(scan: Scan, *, table: ScanTable, bus: EventBus, clock: Clock) -> Scan:
    """Workers see the state with their next heartbeat, stop nmap and put back what it did not finish."""
    table.advance_scan(scan.scan_id, ScanState.SUSPENDED, frm=UNDER_WAY)
    scan = table.get_scan(scan.scan_id) or scan
    if scan.state is ScanState.SUSPENDED:
        at = clock()
        bus.put([ScanSuspended(**about(scan, at=at), event_id=event_id_of(scan.scan_id, "suspended", at))])
    return scan


def _keep_suspension(scan: Scan, reports: ReportStore, *, resumed: bool = False) -> None:
    """For a rebuild of the table. Of a scan that has ended by now, its end says all."""
    if scan.state is ScanState.SUSPENDED:
        store_suspension(reports, scan.scan_id, suspended=not resumed)


def _resume(
    asked: ControlRequested, scan: Scan, *, table: ScanTable, queues: ShardQueues, bus: EventBus, clock: Clock
) -> Controlled:
    """The state first: what breaks off after it is mended by the repeat, which finds shards that wait."""
    table.advance_scan(scan.scan_id, ScanState.SCANNING, frm=[ScanState.SUSPENDED])
    scan = table.get_scan(scan.scan_id) or scan
    # suspended before its messages were out, it has shards that are queued and nobody hears of
    released = Counter(send_again(scan, table=table, queues=queues, clock=clock))
    released += Counter(release_next(scan, table=table, queues=queues, clock=clock))
    if released:
        at = clock()
        event_id = event_id_of(scan.scan_id, "resumed", at)
        bus.put([ScanResumed(**about(scan, at=at), event_id=event_id, lanes=dict(released))])
    return _controlled(asked, scan, sum(released.values()))


def _release_all(*, table: ScanTable, queues: ShardQueues, clock: Clock) -> int:
    """What waited for the switch goes on; of more than MAX_SCANS_LIFTED scans the others with their next look."""
    scans = (scan for scan in table.list_scans(MAX_SCANS_LIFTED) if scan.state not in ENDED and scan.shards_waiting)
    return sum(sum(release_next(scan, table=table, queues=queues, clock=clock).values()) for scan in scans)


def _why(asked: ControlRequested) -> str:
    by = f" by {asked.by}" if asked.by else ""
    return f"cancelled{by}" + (f": {asked.reason}" if asked.reason else "")


def _controlled(asked: ControlRequested, scan: Scan | None = None, released: int = 0) -> Controlled:
    state = scan.state.value if scan else ""
    return Controlled(asked.action, asked.scan_id, asked.by, asked.reason, state, released)
