"""The records of a scan → the scan and its shards as they were when the table was lost. See rebuild.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from cascan.gateways import ReportStore
from cascan.ids import ReportKey
from cascan.limits import ATTEMPTS_AHEAD
from cascan.model.scan import Scan, ScanState
from cascan.model.shard import Shard, ShardState
from cascan.recovery.scan_records import read_end, read_plan, read_runs, read_suspension


@dataclass(frozen=True, slots=True)
class ScanHistory:
    """A scan as its records tell it."""

    scan: Scan  # as accepted; as it ended, if it was refused
    shards: tuple[Shard, ...]
    end: Scan | None
    suspended: bool | None = None  # by somebody, or resumed; None: neither

    def reports(self) -> Iterator[tuple[datetime, ReportKey, datetime]]:
        """When each was made, its key, and when its scan ended, as far as it has."""
        for shard in self.shards:
            if shard.state is ShardState.REPORTED and shard.run:
                at = shard.run.finished_at or self.scan.requested_at
                ended_at = self.end.finished_at if self.end else None
                yield at, ReportKey(shard.scan_id, shard.number, shard.run.attempt), ended_at or at


def read_scan_history(scan_id: str, reports: ReportStore) -> ScanHistory | None:
    """None: it has no records, or they say nothing. Raises: UnreadableItem."""
    plan, end = read_plan(reports, scan_id), read_end(reports, scan_id)
    if plan is None:
        return ScanHistory(end, (), end) if end else None
    scan, planned = plan
    stored, shards = set(reports.report_keys(scan_id)), {shard.number: _again(shard) for shard in planned}
    for told in read_runs(reports, scan_id):
        shard, number = told.shard, told.shard.number
        if told.rest:
            shards.setdefault(told.rest.number, _again(told.rest))
        if ReportKey(scan_id, number, shard.attempt) in stored:
            shards[number] = replace(shard, lease_until=None)
        elif told.rest:  # it died between its record and its report: what it had finished is asked again
            shards[number] = _again(shard)
    return ScanHistory(scan, tuple(shards[number] for number in sorted(shards)), end, read_suspension(reports, scan_id))


def _again(shard: Shard) -> Shard:
    """The shard to be run. Whoever may still run it holds an earlier attempt, and has lost it."""
    state = ShardState.WAITING if shard.state is ShardState.WAITING else ShardState.QUEUED
    attempt = shard.attempt + ATTEMPTS_AHEAD
    return replace(shard, state=state, attempt=attempt, message_id="", lease_until=None, run=None, progress=None)


def reopen_scan(story: ScanHistory) -> Scan:
    """The scan before its first report, as one that is announced: it is being rebuilt, and nobody hears of it."""
    if not story.shards:
        return replace(story.scan, announced=True)
    waiting = sum(shard.state is ShardState.WAITING for shard in story.shards)
    return replace(
        story.scan,
        state=_first_state(story),
        shards=len(story.shards),
        shards_open=len(story.shards),
        shards_waiting=waiting,
        shards_in_flight=len(story.shards) - waiting,
        announced=True,
    )


def _first_state(story: ScanHistory) -> ScanState:
    if story.end and story.end.state is ScanState.CANCELLED:
        return ScanState.CANCELLED
    if story.suspended is not None and story.end is None:
        return ScanState.SUSPENDED if story.suspended else ScanState.SCANNING
    has_run = any(shard.run for shard in story.shards)
    return ScanState.SUSPENDED if story.scan.state is ScanState.SUSPENDED and not has_run else ScanState.SCANNING
