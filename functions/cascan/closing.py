"""How a scan ends: its last shard is closed, its outcome is summed, and the bus hears of it.

A delivery may break off between any two of these writes; the next one finds the scan as it stands and goes on.
"""

from __future__ import annotations

from cascan.clock import Clock
from cascan.events import BusEvent, ScanCompleted, ScanFailed, about
from cascan.gateways import EventBus, ScanTable
from cascan.ids import event_id_of
from cascan.model.scan import FINAL_STATES, Outcome, Scan, ScanState, outcome_of
from cascan.model.shard import ShardClosing

ENDED = FINAL_STATES | {ScanState.PARSE_COMPLETED, ScanState.HOOK_PROCESSING}


def close_shard(
    scan_id: str, number: int, closing: ShardClosing, *, table: ScanTable, bus: EventBus, clock: Clock
) -> Scan | None:
    """Close the shard, and the scan with its last one. The scan as it stands then; None: there is no such scan."""
    table.close_shard(scan_id, number, closing)  # False: an earlier delivery did; the scan may still need its end
    return settle(scan_id, table=table, bus=bus, clock=clock, error=closing.error_description)


def settle(scan_id: str, *, table: ScanTable, bus: EventBus, clock: Clock, error: str = "") -> Scan | None:
    """End the scan if no shard is open, and announce the end if nobody has. Safe to repeat at any point."""
    scan = table.get_scan(scan_id)
    if scan is None or scan.shards_open > 0:
        return scan
    if scan.state not in ENDED:
        outcome = outcome_of(scan.shard_outcomes)
        failed = outcome is Outcome.FAILED
        state = ScanState.ERRORED if failed else ScanState.PARSE_COMPLETED
        table.close_scan(scan_id, state, outcome, clock(), error if failed else "")
        scan = table.get_scan(scan_id) or scan
    announce(scan, table=table, bus=bus)
    return scan


def announce(scan: Scan, *, table: ScanTable, bus: EventBus) -> None:
    """Put the scan's end on the bus, once or, after a crash, again under the same event id."""
    if scan.announced:
        return
    bus.put([end_of(scan)])
    table.mark_announced(scan.scan_id)


def end_of(scan: Scan) -> BusEvent:
    """The event that says how the scan ended."""
    at = scan.finished_at or scan.requested_at
    if scan.state is ScanState.ERRORED:
        failed = event_id_of(scan.scan_id, "failed")
        return ScanFailed(
            **about(scan, at=at), event_id=failed, reason=scan.error_description, refused=scan.shards == 0
        )
    return ScanCompleted(
        **about(scan, at=at),
        event_id=event_id_of(scan.scan_id, "completed"),
        state=scan.state,
        outcome=scan.outcome or Outcome.PARTIAL,
        requested_at=scan.requested_at,
        finished_at=at,
        addresses=scan.addresses,
        shards=scan.shards,
        shard_outcomes=scan.shard_outcomes,
        hosts_up=scan.hosts_up,
        findings=scan.findings,
        changes=scan.changes,
    )
