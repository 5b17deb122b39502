"""Read from a scan's records how the scan and its shards were when the table was lost.

rebuild.py uses them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from cascan.gateways import ReportStore
from cascan.ids import ReportKey, make_shard_secret
from cascan.limits import ATTEMPTS_AHEAD
from cascan.model.scan import Scan, ScanState
from cascan.model.shard import Shard, ShardState
from cascan.recovery.scan_records import read_end, read_plan, read_runs, read_suspension


@dataclass(frozen=True, slots=True)
class ScanHistory:
    """A scan as its records describe it."""

    scan: Scan  # as accepted; a refused scan as it ended
    shards: tuple[Shard, ...]
    end: Scan | None
    suspended: bool | None = None  # None: it was never suspended or resumed

    def reports(self) -> Iterator[tuple[datetime, ReportKey, datetime]]:
        """Of each report: when it was made, its key, and when its scan ended.

        If the scan has not ended, the last is the time of the report.
        """
        for shard in self.shards:
            if shard.state is ShardState.REPORTED and shard.run:
                key = ReportKey(shard.scan_id, shard.number, shard.run.attempt)
                reported_at = shard.run.finished_at or self.scan.requested_at
                ended_at = self.end.finished_at if self.end else None
                yield reported_at, key, ended_at or reported_at


def read_scan_history(scan_id: str, reports: ReportStore) -> ScanHistory | None:
    """The scan's history. None: the scan has no record of a plan or an end.

    Raises: UnreadableItem.
    """
    plan, end = read_plan(reports, scan_id), read_end(reports, scan_id)
    if plan is None:
        return ScanHistory(end, (), end) if end else None
    scan, planned = plan
    stored = set(reports.report_keys(scan_id))
    shards = {shard.number: _run_again(shard) for shard in planned}
    for reported in read_runs(reports, scan_id):
        shard, number = reported.shard, reported.shard.number
        if reported.rest:
            shards.setdefault(reported.rest.number, _run_again(reported.rest))
        if ReportKey(scan_id, number, shard.attempt) in stored:
            shards[number] = replace(shard, lease_until=None)
        elif reported.rest:
            # The worker ended after it wrote the record, before it stored the report. So the part
            # that it had finished is scanned again.
            shards[number] = _run_again(shard)
    ordered = tuple(shards[number] for number in sorted(shards))
    return ScanHistory(scan, ordered, end, read_suspension(reports, scan_id))


def _run_again(shard: Shard) -> Shard:
    """The shard, ready to run again. A worker that still runs an older attempt loses it."""
    state = ShardState.WAITING if shard.state is ShardState.WAITING else ShardState.QUEUED
    return replace(
        shard,
        state=state,
        attempt=shard.attempt + ATTEMPTS_AHEAD,
        message_id="",
        lease_until=None,
        run=None,
        progress=None,
    )


def reopen_scan(history: ScanHistory) -> Scan:
    """The scan as it was before its first report.

    It is marked as announced, so that its end is not announced again. Its shards are stored as this
    version stores them.
    """
    if not history.shards:
        return replace(history.scan, announced=True)
    waiting = sum(shard.state is ShardState.WAITING for shard in history.shards)
    return replace(
        history.scan,
        state=_first_state(history),
        shards=len(history.shards),
        shards_open=len(history.shards),
        shards_waiting=waiting,
        shards_in_flight=len(history.shards) - waiting,
        announced=True,
        cost=history.end.cost if history.end else None,
        shard_secret=history.scan.shard_secret or make_shard_secret(),
    )


def _first_state(history: ScanHistory) -> ScanState:
    if history.end and history.end.state is ScanState.CANCELLED:
        return ScanState.CANCELLED
    if history.suspended is not None and history.end is None:
        return ScanState.SUSPENDED if history.suspended else ScanState.SCANNING
    began_suspended = history.scan.state is ScanState.SUSPENDED
    has_run = any(shard.run for shard in history.shards)
    return ScanState.SUSPENDED if began_suspended and not has_run else ScanState.SCANNING
