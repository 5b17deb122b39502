"""Close the open shards of a scan that was cancelled or is past its deadline.

By then the scan's state or its deadline keeps every worker from claiming a shard and every function
from releasing one, so each call leaves fewer open shards. A call closes many shards per
transaction, and ends when its time or MAX_CLOSED_AT_ONCE is used up; an agenda entry continues the
work.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice

from cascan.clock import TimeLeft, no_time_limit
from cascan.gateways import ScanGateways
from cascan.limits import (
    LOOK_AGAIN_S,
    MAX_CLOSED_AT_ONCE,
    MAX_CLOSED_PER_TRANSACTION,
    MIN_TIME_LEFT_S,
    REPORT_GRACE_S,
)
from cascan.model.agenda import AgendaEntry, AgendaTask
from cascan.model.scan import Outcome, Scan, ScanState
from cascan.model.shard import OPEN_STATES, Shard, ShardClosing, ShardState
from cascan.scans.close import ENDED_STATES, settle_scan

DEADLINE_PASSED = "the scan's deadline passed before it was scanned"


class Remaining(StrEnum):
    """Which shards of the scan are open after a call."""

    NOTHING = "nothing"
    MORE = "more"  # some that the next call can close at once
    WORKERS = "workers"  # only those that workers hold, which end by themselves


def cancel_scan(
    scan_id: str,
    why: str,
    gateways: ScanGateways,
    *,
    most: int = MAX_CLOSED_AT_ONCE,
    left_s: TimeLeft = no_time_limit,
) -> Scan | None:
    """Cancel the scan and close up to `most` of its shards; the scan afterwards.

    None: there is no such scan.

    A scan that has ended is not changed. If shards stay open, an agenda entry continues the work. A
    worker that runs a closed shard learns of it by its next heartbeat, and stops nmap.
    """
    table = gateways.table
    table.advance_scan(
        scan_id,
        ScanState.CANCELLED,
        expected=set(ScanState) - ENDED_STATES,
        why=why,
    )
    scan = table.get_scan(scan_id)
    if scan is None or scan.state is not ScanState.CANCELLED:
        return scan
    remaining = close_open_shards(scan, gateways, most=most, left_s=left_s)
    scan = settle_scan(scan_id, gateways, error=scan.error_description)
    if remaining is Remaining.MORE:
        look_at = gateways.clock() + timedelta(seconds=LOOK_AGAIN_S)
        table.add_to_agenda(AgendaEntry(look_at, scan_id, AgendaTask.LOOK))
    return scan


def close_open_shards(
    scan: Scan,
    gateways: ScanGateways,
    *,
    most: int = MAX_CLOSED_AT_ONCE,
    left_s: TimeLeft = no_time_limit,
) -> Remaining:
    """Close open shards of a cancelled or overdue scan.

    It closes at most `most`, and stops when less than MIN_TIME_LEFT_S is left.

    A shard of an overdue scan that a worker holds is not closed here: its worker stops nmap and
    stores what it has.
    """
    is_cancelled = scan.state is ScanState.CANCELLED
    now, skipped = gateways.clock(), 0

    def shards_to_close() -> Iterator[Shard]:
        nonlocal skipped
        for shard in gateways.table.shards(scan.scan_id):
            if shard.state not in OPEN_STATES:
                continue
            if is_cancelled or not is_in_progress(shard, now):
                yield shard
            else:
                skipped += 1

    shards, closing, closed = shards_to_close(), _build_closing(scan, now), 0
    while batch := list(islice(shards, min(MAX_CLOSED_PER_TRANSACTION, most - closed))):
        gateways.table.close_shards(scan.scan_id, batch, closing)
        closed += len(batch)
        if closed >= most or left_s() < MIN_TIME_LEFT_S:
            if next(shards, None):
                return Remaining.MORE
            break
    return Remaining.WORKERS if skipped else Remaining.NOTHING


def is_over(scan: Scan, now: datetime) -> bool:
    """Whether the shards that are still open are to be closed."""
    return scan.state is ScanState.CANCELLED or scan.is_overdue(now)


def is_in_progress(shard: Shard, now: datetime) -> bool:
    """Whether a worker holds the shard, or its report may still be read.

    The report may be read until REPORT_GRACE_S after the lease.
    """
    grace_s = REPORT_GRACE_S if shard.state is ShardState.REPORTED else 0
    return shard.is_held(now - timedelta(seconds=grace_s))


def _build_closing(scan: Scan, now: datetime) -> ShardClosing:
    if scan.state is ScanState.CANCELLED:
        return ShardClosing(
            state=ShardState.CANCELLED,
            outcome=Outcome.FAILED,
            error_description=scan.error_description,
            closed_at=now,
        )
    return ShardClosing(
        state=ShardState.FAILED,
        outcome=Outcome.TIMED_OUT,
        error_description=DEADLINE_PASSED,
        closed_at=now,
    )
