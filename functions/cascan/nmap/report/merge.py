"""Reports of one scan's shards → one report, as one nmap would have written it: streams in, XML out, constant memory.

What stands below the roots is copied, one report after the other, as ReportReader reads it (its `source`); the frame
around it is made anew:

    nmaprun    of the first report that says its version: args, version; start: given, else that report's
    scaninfo   of the first report that has hosts, as verbose and debugging: a scan's shards share their options
    runstats   hosts: summed; of a report without runstats, the hosts that it has whole
               finished: time is the latest, elapsed is from start to then, exit is success if every report says so

A host that another report says more of is left out, and out of the sums. A damaged report contributes its whole hosts.
What nmap.dtd does not know is left out. Source: nmap.dtd.
"""

from __future__ import annotations

import time
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO, NamedTuple

from msgspec.structs import replace

from cascan.errors import UnreadableReport
from cascan.model.host import Host
from cascan.model.report import Debugging, Finished, Head, HostCounts, Item, RunStats, ScanInfo, Verbose
from cascan.nmap.report.read import ReportReader, read_report
from cascan.nmap.report.tree.values import parse_count, parse_timestamp
from cascan.nmap.report.write.report import DECLARATION, render_end, render_item, render_start

FRAME = (ScanInfo, Verbose, Debugging)
PIECE_BYTES = 256 * 1024


class MergeInput(NamedTuple):
    """One of the reports that are merged."""

    stream: IO[bytes]
    left_out: Container[str] = ()  # addresses whose hosts another of the reports has


def merge_reports(
    reports: Iterable[MergeInput], *, note: str = "", missing: int = 0, started_at: datetime | None = None
) -> Iterator[bytes]:
    """The merged report in pieces of about PIECE_BYTES; none at all where no stream is a report.

    Each stream is read to its end and closed before the next is asked for. `note` becomes a comment at the top (it may
    not hold `--`); `missing` counts reports that there should be and are not; `started_at` is when the scan began.
    """
    return ReportMerge(note, missing, started_at).pieces(reports)


@dataclass
class _Counts:
    """Hosts of a report: as nmap counts them, or as they stand there."""

    up: int = 0
    total: int = 0

    def add_host(self, host: Host) -> None:
        self.up += host.state == "up"
        self.total += 1

    def add(self, counts: HostCounts) -> None:
        self.up += parse_count(counts.up) or 0
        self.total += parse_count(counts.total) or 0


class ReportMerge:
    """One merge. `flaws`: how many reports are missing, damaged, or of a run that failed; true after the last piece.

    `warnings`: what was wrong with the report that was read last, a sentence each.
    """

    def __init__(self, note: str = "", missing: int = 0, started_at: datetime | None = None) -> None:
        self.flaws = missing
        self.warnings: tuple[str, ...] = ()
        self._note = note
        self._started = int(started_at.timestamp()) if started_at else 0  # seconds since 1970; 0: not known yet
        self._finished = 0
        self._up = self._total = 0
        self._head: Head | None = None  # of the first report
        self._begun = False

    @property
    def began(self) -> bool:
        """A report was among the streams."""
        return self._head is not None

    def pieces(self, reports: Iterable[MergeInput]) -> Iterator[bytes]:
        """See merge_reports."""
        held: list[str] = []
        held_chars = 0
        for piece in self._elements(reports):
            held.append(piece)
            held_chars += len(piece)
            if held_chars >= PIECE_BYTES:
                yield "".join(held).encode()
                held.clear()
                held_chars = 0
        if held:
            yield "".join(held).encode()

    def _elements(self, reports: Iterable[MergeInput]) -> Iterator[str]:
        for stream, left_out in reports:
            with stream:
                try:
                    report = read_report(stream)
                except UnreadableReport as exc:
                    self.flaws += 1
                    self.warnings = (str(exc),)
                    continue
                self._note_head(report.head)
                yield from self._elements_of(report, left_out)
                self.warnings = report.warnings
        if self._head is not None:
            yield from self._beginning(())
            yield self._ending()

    def _elements_of(self, report: ReportReader, left_out: Container[str]) -> Iterator[str]:
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
            yield from self._beginning(frame)
            yield report.source
        self._add(ends, present, elsewhere)
        self.flaws += not (report.complete and _succeeded(ends))

    def _note_head(self, head: Head) -> None:
        """Keep the first, or rather the first that says its version: nmap may fail before it does."""
        if self._head is None or (head.version is not None and self._head.version is None):
            self._head = head

    def _add(self, ends: list[RunStats], present: _Counts, elsewhere: _Counts) -> None:
        """Count the hosts of a report, and note when it ended."""
        counted = _Counts()
        for hosts in (end.hosts for end in ends if end.hosts):
            counted.add(hosts)
        if not any(end.hosts for end in ends):
            counted = present
        self._up += max(0, counted.up - elsewhere.up)
        self._total += max(0, counted.total - elsewhere.total)
        self._finished = max(self._finished, *(_seconds(end.finished.time) for end in ends if end.finished), 0)

    def _beginning(self, frame: Iterable[Item]) -> Iterator[str]:
        """The document up to what stands below its frame, once."""
        if self._begun or self._head is None:
            return
        self._begun = True
        self._started = self._started or _seconds(self._head.start)
        head = replace(
            self._head,
            scanner="nmap",
            args=self._head.args or "",
            start=str(self._started),
            startstr=_asctime(self._started),
            version=self._head.version or "",
            xmloutputversion=self._head.xmloutputversion or "1.05",
        )
        start = render_start(head)
        yield start.replace(DECLARATION, f"{DECLARATION}<!-- {self._note} -->\n", 1) if self._note else start
        frame = list(frame)
        yield from (render_item(item) for item in frame if isinstance(item, ScanInfo))
        for kind in (Verbose, Debugging):
            yield render_item(next((item for item in frame if isinstance(item, kind)), kind(level="0")))

    def _ending(self) -> str:
        finished = max(self._finished, self._started)
        elapsed, at = finished - self._started, _asctime(finished)
        hosts = f"{self._total} IP addresses ({self._up} hosts up) scanned in {elapsed} seconds"
        flaw = f"{self.flaws} of the reports merged here are missing, cut short, or of a run that failed"
        end = Finished(
            time=str(finished),
            timestr=at,
            summary=f"Nmap done at {at}; {hosts}",
            elapsed=str(elapsed),
            exit="error" if self.flaws else "success",
            errormsg=flaw if self.flaws else None,
        )
        down = max(0, self._total - self._up)
        counts = HostCounts(up=str(self._up), down=str(down), total=str(self._total))
        return render_item(RunStats(finished=end, hosts=counts)) + render_end()


def _succeeded(ends: list[RunStats]) -> bool:
    """Whether a report says that its run came to an end, and that it succeeded."""
    finished = [end.finished for end in ends if end.finished]
    return bool(finished) and all(end.exit in ("success", None) for end in finished)


def _seconds(text: str | None) -> int:
    """An instant, in seconds since 1970; 0 where it is none."""
    moment = parse_timestamp(text)
    return int(moment.timestamp()) if moment else 0


def _asctime(seconds: int) -> str:
    """As nmap writes an instant; in UTC."""
    return time.asctime(time.gmtime(seconds))
