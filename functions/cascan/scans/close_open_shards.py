"""The end of a scan that still has open shards: it was cancelled, or its deadline passed. They are closed in turns.

The scan says first that it is over, by its state or its deadline: from then on none of its shards is released or
claimed, so that every turn leaves less to do. A turn closes many shards in one transaction, and ends when its time or
MAX_CLOSED_AT_ONCE is used up; the agenda has the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice

from cascan.clock import Clock, TimeLeft, no_time_limit
from cascan.gateways import EventBus, ScanTable, ShardQueues
from cascan.limits import LOOK_AGAIN_S, MAX_CLOSED_AT_ONCE, MAX_CLOSED_PER_TRANSACTION, MIN_TIME_LEFT_S, REPORT_GRACE_S
from cascan.model.agenda import AgendaEntry, AgendaTask
from cascan.model.scan import Outcome, Scan, ScanState
from cascan.model.shard import OPEN_STATES, Shard, ShardClosing, ShardState
from cascan.scans.close import ENDED_STATES, settle_scan

DEADLINE_PASSED = "the scan's deadline passed before it was scanned"


class Remaining(StrEnum):
    """What a turn leaves of a scan that is over."""

    NOTHING = "nothing"
    MORE = "more"  # for the next turn, at once
    WORKERS = "workers"  # shards that workers hold, and give back by themselves


def cancel_scan(
    scan_id: str,
    why: str,
    *,
    table: ScanTable,
    queues: ShardQueues,
    bus: EventBus,
    clock: Clock,
    most: int = MAX_CLOSED_AT_ONCE,
    left_s: TimeLeft = no_time_limit,
) -> Scan | None:
    """Cancel the scan, and close its open shards in one turn. The scan as it stands then: one that had ended stays as
    it was, and one with open shards is on the agenda. None: there is no such scan.

    A worker that runs a shard loses it with its next heartbeat, and stops nmap.
    """
    table.advance_scan(scan_id, ScanState.CANCELLED, expected=set(ScanState) - ENDED_STATES, why=why)
    scan = table.get_scan(scan_id)
    if scan is None or scan.state is not ScanState.CANCELLED:
        return scan
    left = close_open_shards(scan, table=table, clock=clock, most=most, left_s=left_s)
    scan = settle_scan(scan_id, table=table, queues=queues, bus=bus, clock=clock, error=scan.error_description)
    if left is Remaining.MORE:
        table.add_to_agenda(AgendaEntry(clock() + timedelta(seconds=LOOK_AGAIN_S), scan_id, AgendaTask.LOOK))
    return scan


def close_open_shards(
    scan: Scan, *, table: ScanTable, clock: Clock, most: int = MAX_CLOSED_AT_ONCE, left_s: TimeLeft = no_time_limit
) -> Remaining:
    """Close open shards of a scan that is cancelled or overdue: at most `most`, and until MIN_TIME_LEFT_S are left.

    Of an overdue scan what a worker holds is left to it: it stops by itself, and stores what it has.
    """
    cancelled = scan.state is ScanState.CANCELLED
    now, kept = clock(), 0

    def to_close() -> Iterator[Shard]:
        nonlocal kept
        for shard in table.shards(scan.scan_id):
            if shard.state in OPEN_STATES and (cancelled or not is_in_progress(shard, now)):
                yield shard
            else:
                kept += shard.state in OPEN_STATES

    shards, closing, closed = to_close(), _closing(scan), 0
    while batch := list(islice(shards, min(MAX_CLOSED_PER_TRANSACTION, most - closed))):
        table.close_shards(scan.scan_id, batch, closing)
        closed += len(batch)
        if closed >= most or left_s() < MIN_TIME_LEFT_S:
            return Remaining.MORE if next(shards, None) else Remaining.WORKERS if kept else Remaining.NOTHING
    return Remaining.WORKERS if kept else Remaining.NOTHING


def is_over(scan: Scan, now: datetime) -> bool:
    """Whatever shards it still has are to be closed."""
    return scan.state is ScanState.CANCELLED or scan.is_overdue(now)


def is_in_progress(shard: Shard, now: datetime) -> bool:
    """Held by a worker; or reported, and what reads the report has not had its time."""
    grace_s = REPORT_GRACE_S if shard.state is ShardState.REPORTED else 0
    return shard.is_held(now - timedelta(seconds=grace_s))


def _closing(scan: Scan) -> ShardClosing:
    if scan.state is ScanState.CANCELLED:
        return ShardClosing(
            state=ShardState.CANCELLED, outcome=Outcome.FAILED, error_description=scan.error_description
        )
    return ShardClosing(state=ShardState.FAILED, outcome=Outcome.TIMED_OUT, error_description=DEADLINE_PASSED)
