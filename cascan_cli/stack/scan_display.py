"""What a command shows while a scan runs: a line with its progress, and its findings as they come.

In a terminal the line is redrawn, with the findings above it. Elsewhere there is a line every
PROGRESS_LINE_EVERY_S seconds, without them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cascan.clock import utc_now
from cascan.limits import MAX_LIVE_FINDINGS, MAX_LIVE_FINDINGS_AT_ONCE
from cascan.model.scan import Scan
from cascan.queries.describe_detail import describe_detail
from cascan.queries.finding_query import order_findings
from cascan.queries.read_findings import read_findings
from cascan.queries.scan_progress import (
    LiveShards,
    TaskPace,
    find_usual_duration,
    measure_progress,
    read_live_shards,
)
from cascan.rules.severity import to_count_key
from cascan_cli.output.progress import describe_progress
from cascan_cli.output.scan import next_opening
from cascan_cli.output.text import Progress, pluralize

if TYPE_CHECKING:
    from typing import Protocol

    from cascan.gateways import Shards
    from cascan.model.finding import Finding
    from cascan.queries.reachability_findings import FindingsAndLooks

    class WatchedScans(FindingsAndLooks, Shards, Protocol): ...


READ_EVERY_S = 5.0  # shards report their progress every few seconds, and reading it is a query


class ScanDisplay:
    """Describes one scan, reading no more often than every READ_EVERY_S seconds."""

    def __init__(self, table: WatchedScans, progress: Progress, *, shows_last: bool = False) -> None:
        """`shows_last`: also print the findings of the last shards; else the command lists them all at the end."""
        self._table, self._progress = table, progress
        self._shows_last = shows_last
        self._pace = TaskPace()
        self._live = LiveShards()
        self._read_at = -READ_EVERY_S
        self._usual_s: float | None = None
        self._is_known = False
        self._shown_count = 0
        self._shown: set[str] = set()  # ids of findings

    def describe(self, scan: Scan, *, is_halted: bool = False) -> str:
        """The line; findings that are new are printed above it."""
        if not self._is_known:
            self._usual_s, self._is_known = find_usual_duration(scan, self._table), True
        now = time.monotonic()
        if now - self._read_at >= READ_EVERY_S:
            self._read_at = now
            self._live = read_live_shards(scan, self._table)
            self._show_findings(scan)
        if not scan.shards_open:
            self._live = LiveShards()
        at = utc_now()
        is_held = is_halted or next_opening(scan, at) is not None
        measured = measure_progress(scan, self._live, at, pace=self._pace, usual_s=self._usual_s, is_held=is_held)
        line = describe_progress(scan, measured, self._live.running)
        return f"halted; {line}" if is_halted else line

    def _show_findings(self, scan: Scan) -> None:
        """Print findings that came since the last call, the worst first."""
        count = scan.findings.count
        is_left_out = not scan.shards_open and not self._shows_last
        if not self._progress.is_terminal or is_left_out or count == self._shown_count:
            return
        self._shown_count = count
        if count > MAX_LIVE_FINDINGS:
            return
        added = [finding for finding in read_findings(scan, self._table) if finding.id not in self._shown]
        self._shown |= {finding.id for finding in added}
        ordered = list(order_findings(added).findings)
        for finding in ordered[:MAX_LIVE_FINDINGS_AT_ONCE]:
            self._progress.print_above(describe_finding(finding))
        others = len(ordered) - MAX_LIVE_FINDINGS_AT_ONCE
        if others > 0:
            self._progress.print_above(f"and {pluralize(others, 'more finding')}")


def describe_finding(finding: Finding) -> str:
    parts = (to_count_key(finding), finding.location, finding.name, describe_detail(finding, utc_now()))
    return "  ".join(filter(None, parts))
