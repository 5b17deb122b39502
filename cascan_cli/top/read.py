"""What the live view shows, read from the gateways of a stack. Every list has a largest size, every read a pause."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

from cascan.clock import to_wire, utc_now
from cascan.errors import GatewayUnavailable
from cascan.limits import MAX_LIVE_FINDINGS, MAX_SCANS_WATCHED
from cascan.model.exposure import ExposureState
from cascan.model.scan import FINAL_STATES, Scan
from cascan.queries.read_findings import read_findings
from cascan.queries.scan_progress import (
    LiveShards,
    TaskPace,
    find_usual_duration,
    measure_progress,
    read_live_shards,
)
from cascan_cli.output.progress import describe_hosts, describe_progress, describe_running, round_time
from cascan_cli.output.scan import describe_state, duration_s, format_duration, next_opening
from cascan_cli.output.text import pluralize, shorten_list
from cascan_cli.stack.dead_letters import list_queues
from cascan_cli.stack.health import describe_halt
from cascan_cli.top.rows import (
    TARGETS_SHOWN,
    Row,
    build_ended_row,
    build_exposure_row,
    build_finding_rows,
    build_scan_row,
    format_severities,
)

if TYPE_CHECKING:
    from cascan.model.agenda import Switch
    from cascan.queries.scan_progress import ScanProgress
    from cascan_cli.stack.open import StackGateways

SCANS_READ = 50  # the latest ones, every time
SHARDS_EVERY_S = 5.0  # workers report their progress every few seconds
SLOW_EVERY_S = 10.0  # exposures, queues, and whether the stack is halted
EXPOSURES_SHOWN = 50
FINDINGS_SHOWN = 50  # the newest ones of scans that run
UNDECIDED = (ExposureState.CONFIRMED, ExposureState.OPEN)
WORK_QUEUES = {
    "requests": "RequestQueue",
    "express shards": "ExpressShardQueue",
    "connect shards": "ConnectShardQueue",
    "raw shards": "RawShardQueue",
    "reports": "ReportQueue",
    "ends of scans": "CompletionQueue",
    "exposures": "ExposureQueue",
    "messages": "MessageQueue",
}


class Snapshot(NamedTuple):
    summary: str
    scans: list[Row]  # those that run first
    findings: list[Row]  # the newest first
    exposures: list[Row]
    queues: str


class ScanDetail(NamedTuple):
    lines: list[str]
    findings: list[Row]  # the worst first


class _FollowedScan:
    """What is remembered of a scan that runs."""

    def __init__(self, scan: Scan, stack: StackGateways) -> None:
        self.usual_s = find_usual_duration(scan, stack.table)
        self.pace = TaskPace()
        self.live = LiveShards()
        self.read_at = float("-inf")
        self.shown_count = 0
        self.shown_ids: set[str] = set()


class StackReader:
    """Reads a stack for one view, in one thread at a time."""

    def __init__(
        self,
        stack: StackGateways,
        *,
        clock: Callable[[], datetime] = utc_now,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stack, self._clock, self._seconds = stack, clock, seconds
        self._followed: dict[str, _FollowedScan] = {}
        self._findings: list[Row] = []
        self._slow_at = float("-inf")
        self._exposures: list[Row] = []
        self._queues = ""
        self._switch: Switch | None = None

    def read(self) -> Snapshot:
        """Raises: GatewayUnavailable."""
        latest = list(self._stack.table.list_scans(SCANS_READ))
        running = [scan for scan in latest if scan.state not in FINAL_STATES and not scan.member_of]
        followed = running[:MAX_SCANS_WATCHED]
        if self._seconds() - self._slow_at >= SLOW_EVERY_S:
            self._slow_at = self._seconds()
            self._read_slow_parts()
        self._follow(followed, latest)
        ended = (scan for scan in latest if scan.state in FINAL_STATES)
        rows = [self._describe_running(scan) for scan in followed]
        rows += map(build_ended_row, ended)
        return Snapshot(self._summarize(running), rows, self._findings, self._exposures, self._queues)

    def read_scan(self, scan_id: str) -> ScanDetail:
        """One scan with its findings. Raises: GatewayUnavailable."""
        scan = self._stack.table.get_scan(scan_id)
        if scan is None:
            return ScanDetail([f"scan {scan_id} is removed"], [])
        lines = [f"{scan.name}: {scan.scan_id}, requested {to_wire(scan.requested_at)}"]
        if scan.request:
            lines.append(f"{shorten_list(scan.request.targets, TARGETS_SHOWN)} {' '.join(scan.request.parameters)}")
        if scan.state in FINAL_STATES:
            seconds = duration_s(scan)
            took = f" after {format_duration(seconds)}" if seconds is not None else ""
            lines.append(f"{scan.state}, {scan.outcome or 'without a result'}{took}; {format_severities(scan)}")
        else:
            followed = self._followed.get(scan_id)
            live = self._read_progress(scan, followed) if followed else read_live_shards(scan, self._stack.table)
            lines.append(describe_progress(scan, self._measure(scan, live), live.running))
        if scan.error_description:
            lines.append(scan.error_description)
        if scan.findings.count > MAX_LIVE_FINDINGS:
            lines.append(f"its findings are too many for this view: cascan findings {scan.scan_id}")
            return ScanDetail(lines, [])
        return ScanDetail(lines, list(build_finding_rows(read_findings(scan, self._stack.table), self._clock())))

    def _summarize(self, running: list[Scan]) -> str:
        scans = f"{len(running) or 'none'} of the latest {SCANS_READ} scans running"
        halt = f"; {describe_halt(self._switch)}" if self._switch else ""
        return f"{to_wire(self._clock().replace(microsecond=0))}  {scans}{halt}"

    def _read_slow_parts(self) -> None:
        table = self._stack.table
        self._switch = table.switch()
        undecided = chain.from_iterable(table.list_exposures(state) for state in UNDECIDED)
        now = self._clock()
        self._exposures = [build_exposure_row(exposure, now) for _, exposure in islice(undecided, EXPOSURES_SHOWN)]
        try:
            self._queues = f"queues: {self._count_messages()}"
        except GatewayUnavailable as exc:  # a user who may read the table may lack the permission to count messages
            self._queues = f"queues: {exc}"

    def _count_messages(self) -> str:
        """What waits in the queues that the stack names, and what was given up. Raises: GatewayUnavailable."""
        stack = self._stack
        names = {title: name for title, name in WORK_QUEUES.items() if f"{name}Url" in stack.outputs}
        counts = {title: stack.queue(name).count() for title, name in names.items()}
        dead = [queue.name for queue in list_queues(stack.outputs) if f"{queue.name}Url" in stack.outputs]
        given_up = sum(stack.queue(name).count() for name in dead)
        waiting = ", ".join(f"{title} {count}" for title, count in counts.items() if count) or "empty"
        letters = f"; {pluralize(given_up, 'dead letter')}: cascan redrive list" if given_up else ""
        return f"{waiting}{letters}"

    def _follow(self, running: list[Scan], latest: list[Scan]) -> None:
        """Read what workers say of these scans, and the findings that came since the last time."""
        for scan in running:
            if scan.scan_id not in self._followed:
                self._followed[scan.scan_id] = _FollowedScan(scan, self._stack)
            followed = self._followed[scan.scan_id]
            self._read_progress(scan, followed)
        by_id = {scan.scan_id: scan for scan in latest}
        for scan_id in list(self._followed):
            known = by_id.get(scan_id)
            if known:
                self._add_findings(known, self._followed[scan_id])
            if known is None or known.state in FINAL_STATES:
                del self._followed[scan_id]

    def _read_progress(self, scan: Scan, followed: _FollowedScan) -> LiveShards:
        """What its workers say, read no more often than they say it."""
        if self._seconds() - followed.read_at >= SHARDS_EVERY_S:
            followed.live = read_live_shards(scan, self._stack.table)
            followed.read_at = self._seconds()
        return followed.live

    def _add_findings(self, scan: Scan, followed: _FollowedScan) -> None:
        count = scan.findings.count
        if count == followed.shown_count or count > MAX_LIVE_FINDINGS:
            return
        findings = read_findings(scan, self._stack.table)
        added = [finding for finding in findings if finding.id not in followed.shown_ids]
        followed.shown_count = count  # after the read: one that fails is repeated
        followed.shown_ids |= {finding.id for finding in added}
        rows = build_finding_rows(added, self._clock())
        self._findings = [*islice(rows, FINDINGS_SHOWN), *self._findings][:FINDINGS_SHOWN]

    def _measure(self, scan: Scan, live: LiveShards) -> ScanProgress:
        followed = self._followed.get(scan.scan_id)
        now = self._clock()
        return measure_progress(
            scan,
            live,
            now,
            pace=followed.pace if followed else TaskPace(),
            usual_s=followed.usual_s if followed else None,
            is_held=self._switch is not None or next_opening(scan, now) is not None,
        )

    def _describe_running(self, scan: Scan) -> Row:
        live = self._followed[scan.scan_id].live
        progress = self._measure(scan, live)
        done = f"{progress.percent} %" if progress.percent is not None else describe_running(live.running)
        left = round_time(progress.left.seconds) if progress.left else ""
        times = (format_duration(progress.elapsed_s), left)
        state = "halted" if self._switch else describe_state(scan)
        hosts = describe_hosts(progress.hosts)
        return build_scan_row(scan, state, (done, *times, hosts, format_severities(scan)))
