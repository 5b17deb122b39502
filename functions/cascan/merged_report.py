"""A scan → its shards' reports as one, streamed from the store: of each shard the attempt that was recorded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cascan.gateways import ReportStore, ScanTable
from cascan.ids import ReportKey
from cascan.model.shard import Shard
from cascan.nmap.report.merge import merge_reports


@dataclass(frozen=True, slots=True)
class MergedReport:
    reports: int  # that are merged
    pieces: Iterator[bytes]


def merged_report(scan_id: str, *, table: ScanTable, reports: ReportStore) -> MergedReport:
    """The scan's reports merged, read from the store piece by piece as they are asked for.

    A shard whose report is missing makes the merged report say `exit="error"`; one that had nothing to ask does not.
    """
    shards = list(table.shards(scan_id))
    keys = recorded_reports(shards, reports.report_keys(scan_id))
    asked = [shard for shard in shards if not _had_nothing_to_ask(shard)]
    found = [keys[shard.number] for shard in asked if shard.number in keys]
    started = [shard.run.started_at for shard in shards if shard.run and shard.run.started_at]
    pieces = merge_reports(
        map(reports.open_report, found),
        note=f"{len(found)} reports of scan {scan_id}, merged by cascan",
        missing=len(asked) - len(found),
        started_at=min(started, default=None),
    )
    return MergedReport(len(found), pieces)


def recorded_reports(shards: Iterable[Shard], keys: Iterable[ReportKey]) -> dict[int, ReportKey]:
    """By shard number, the report that counts: the shard's attempt names it. An earlier one, where that wrote none."""
    attempts: dict[int, list[int]] = defaultdict(list)
    for key in keys:
        attempts[key.shard].append(key.attempt)
    chosen = {}
    for shard in shards:
        written = [attempt for attempt in attempts[shard.number] if attempt <= shard.attempt]
        if written:
            chosen[shard.number] = ReportKey(shard.scan_id, shard.number, max(written))
    return chosen


def _had_nothing_to_ask(shard: Shard) -> bool:
    """nmap was not started: no name resolved, or the excludes and the scope left nothing."""
    return shard.run is not None and shard.run.exit_code is None
