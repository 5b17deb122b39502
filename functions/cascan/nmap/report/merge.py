"""Merge the reports of one scan's shards into one, as a single nmap would have written it.

Memory is constant. The elements below the roots are copied, one report after the other, as
ReportReader reads them (its `source`). The frame around them is new:

    nmaprun    args and version: from the first report that has a version
               start: `started_at`; without it, the start of that report
    scaninfo   from the first report that has hosts, like verbose and debugging; left out if the
               shards asked different ports, since it would be wrong for the hosts of the others
    runstats   hosts: the sums; a report without runstats adds the hosts that it has
               finished: the latest time; the time elapsed from the start to it; exit is success if
               every report has success

A host that is taken from another report is neither copied nor counted. Where some hosts are left
out, the counts are of those that are written. A damaged report adds the hosts that can be read.
Elements that are not in nmap.dtd are left out.

Source: nmap.dtd.
"""

from __future__ import annotations

import time
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO, NamedTuple, Protocol

from msgspec.structs import replace

from cascan.errors import UnreadableReport
from cascan.model.host import Host
from cascan.model.report import (
    Debugging,
    Finished,
    Head,
    HostCounts,
    Item,
    RunStats,
    ScanInfo,
    Verbose,
)
from cascan.nmap.report.read import ReportReader, read_report
from cascan.nmap.report.tree.values import parse_count, parse_timestamp
from cascan.nmap.report.write.report import DECLARATION, render_end, render_item, render_start

FRAME = (ScanInfo, Verbose, Debugging)
CHUNK_CHARS = 256 * 1024


class MergeInput(NamedTuple):
    """One of the reports that are merged."""

    stream: IO[bytes]
    left_out: Container[str] = ()  # addresses whose hosts are taken from another report


class ElementEditor(Protocol):
    """Changes what is copied."""

    @property
    def is_partial(self) -> bool:
        """Some hosts are left out, so that the counts are of those that are written."""

    def edit(self, item: Host | Item) -> Host | Item | None:
        """The element as it is to be written; the same object: as it is; None: left out."""

    def edit_head(self, head: Head) -> Head: ...


def merge_reports(
    reports: Iterable[MergeInput],
    *,
    comment: str = "",
    missing: int = 0,
    started_at: datetime | None = None,
    has_same_ports: bool = True,
    editor: ElementEditor | None = None,
) -> Iterator[bytes]:
    """The merged report in chunks of about CHUNK_CHARS. No chunks, if no stream is a report.

    Each stream is read to its end and closed before the next one is used. `comment` is written at
    the top; it must not contain `--`. `missing`: how many reports should exist and do not.
    `started_at`: when the scan began. `has_same_ports`: every report is about the same ports.
    """
    merge = ReportMerge(comment, missing, started_at, has_same_ports=has_same_ports, editor=editor)
    return merge.chunks(reports)


@dataclass
class _Counts:
    """Numbers of hosts: as nmap counts them, or as the report has them."""

    up: int = 0
    total: int = 0

    def add_host(self, host: Host) -> None:
        self.up += host.state == "up"
        self.total += 1

    def add(self, counts: HostCounts) -> None:
        self.up += parse_count(counts.up) or 0
        self.total += parse_count(counts.total) or 0


class ReportMerge:
    """One merge.

    `flaws`: how many reports are missing, damaged, or from a failed run; final after the last
    chunk. `warnings`: the faults of the report that was read last, one sentence each.
    """

    def __init__(
        self,
        comment: str = "",
        missing: int = 0,
        started_at: datetime | None = None,
        *,
        has_same_ports: bool = True,
        editor: ElementEditor | None = None,
    ) -> None:
        self.flaws = missing
        self.warnings: tuple[str, ...] = ()
        self._comment = comment
        self._has_same_ports = has_same_ports
        self._editor = editor
        # seconds since 1970; 0: not known yet
        self._started = int(started_at.timestamp()) if started_at else 0
        self._finished = 0
        self._up = self._total = 0
        self._head: Head | None = None  # of the first report
        self._begun = False

    @property
    def began(self) -> bool:
        """Whether a stream was a report."""
        return self._head is not None

    def chunks(self, reports: Iterable[MergeInput]) -> Iterator[bytes]:
        """See merge_reports."""
        elements: list[str] = []
        chars = 0
        for element in self._render(reports):
            elements.append(element)
            chars += len(element)
            if chars >= CHUNK_CHARS:
                yield "".join(elements).encode()
                elements.clear()
                chars = 0
        if elements:
            yield "".join(elements).encode()

    def _render(self, reports: Iterable[MergeInput]) -> Iterator[str]:
        for stream, left_out in reports:
            with stream:
                try:
                    report = read_report(stream)
                except UnreadableReport as exc:
                    self.flaws += 1
                    self.warnings = (str(exc),)
                    continue
                self._keep_head(report.head)
                yield from self._render_report(report, left_out)
                self.warnings = report.warnings
        if self._head is not None:
            yield from self._render_start(())
            yield self._render_end()

    def _render_report(self, report: ReportReader, left_out: Container[str]) -> Iterator[str]:
        frame: list[Item] = []
        ends: list[RunStats] = []
        present, elsewhere = _Counts(), _Counts()
        for item in report.items():
            if isinstance(item, FRAME):
                frame.append(item)
                continue
            if isinstance(item, RunStats):
                ends.append(item)
                continue
            if isinstance(item, Host):
                present.add_host(item)
                if left_out and item.address in left_out:
                    elsewhere.add_host(item)
                    continue
            edited = self._editor.edit(item) if self._editor else item
            if edited is None:
                if isinstance(item, Host):
                    elsewhere.add_host(item)
                continue
            yield from self._render_start(frame)
            yield report.source if edited is item else render_item(edited)
        self._add(ends, present, elsewhere)
        self.flaws += not (report.complete and _succeeded(ends))

    def _keep_head(self, head: Head) -> None:
        """Keep the first head that has a version, since a failed nmap may not write one."""
        head = self._editor.edit_head(head) if self._editor else head
        if self._head is None or (head.version is not None and self._head.version is None):
            self._head = head

    def _add(self, ends: list[RunStats], present: _Counts, elsewhere: _Counts) -> None:
        """Add the hosts of a report, and when it ended."""
        counted = _Counts()
        for hosts in (end.hosts for end in ends if end.hosts):
            counted.add(hosts)
        is_partial = self._editor is not None and self._editor.is_partial
        if is_partial or not any(end.hosts for end in ends):
            counted = present
        self._up += max(0, counted.up - elsewhere.up)
        self._total += max(0, counted.total - elsewhere.total)
        finished = [_seconds(end.finished.time) for end in ends if end.finished]
        self._finished = max(self._finished, *finished, 0)

    def _render_start(self, frame: Iterable[Item]) -> Iterator[str]:
        """The document up to the first copied element. Nothing, if it was written before."""
        if self._begun or self._head is None:
            return
        self._begun = True
        self._started = self._started or _seconds(self._head.start)
        start = render_start(_complete_head(self._head, self._started))
        if self._comment:
            start = start.replace(DECLARATION, f"{DECLARATION}<!-- {self._comment} -->\n", 1)
        yield start
        frame = list(frame)
        if self._has_same_ports:
            yield from (render_item(item) for item in frame if isinstance(item, ScanInfo))
        for kind in (Verbose, Debugging):
            present = (item for item in frame if isinstance(item, kind))
            yield render_item(next(present, kind(level="0")))

    def _render_end(self) -> str:
        finished = max(self._finished, self._started)
        elapsed, finished_text = finished - self._started, _asctime(finished)
        hosts = f"{self._total} IP addresses ({self._up} hosts up) scanned in {elapsed} seconds"
        flaws = "missing, cut short, or of a run that failed"
        flaw = f"{self.flaws} of the reports merged here are {flaws}"
        end = Finished(
            time=str(finished),
            timestr=finished_text,
            summary=f"Nmap done at {finished_text}; {hosts}",
            elapsed=str(elapsed),
            exit="error" if self.flaws else "success",
            errormsg=flaw if self.flaws else None,
        )
        down = max(0, self._total - self._up)
        counts = HostCounts(up=str(self._up), down=str(down), total=str(self._total))
        return render_item(RunStats(finished=end, hosts=counts)) + render_end()


def _complete_head(head: Head, started: int) -> Head:
    """The head with every attribute that nmap always writes."""
    return replace(
        head,
        scanner="nmap",
        args=head.args or "",
        start=str(started),
        startstr=_asctime(started),
        version=head.version or "",
        xmloutputversion=head.xmloutputversion or "1.05",
    )


def _succeeded(ends: list[RunStats]) -> bool:
    """Whether a report states that its run ended successfully."""
    finished = [end.finished for end in ends if end.finished]
    return bool(finished) and all(end.exit in ("success", None) for end in finished)


def _seconds(text: str | None) -> int:
    """A time in seconds since 1970; 0: absent, or another text."""
    moment = parse_timestamp(text)
    return int(moment.timestamp()) if moment else 0


def _asctime(seconds: int) -> str:
    """A time as nmap writes it, in UTC."""
    return time.asctime(time.gmtime(seconds))
