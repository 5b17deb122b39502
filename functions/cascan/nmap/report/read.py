"""Read a report of nmap host by host, in constant memory.

    head.py         the start, up to the root element's tag; refuses other documents
    split.py        the bytes after it, in batches of whole host elements
    fast/           reads a host written exactly as nmap writes it, by patterns
    tree/host.py    reads all other hosts, from their parsed elements
    tree/items.py   reads the items other than hosts

If a report is damaged, everything before and after the damage is read; `complete` and `warnings`
describe what is missing. Only bytes that are not a report at all raise an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import IO

from cascan.model.host import Host, Script
from cascan.model.recording import Place
from cascan.model.report import (
    Head,
    Item,
    PostScripts,
    PreScripts,
    RunStats,
    ScanInfo,
    SkippedTarget,
)
from cascan.nmap.report.head import ReportStart, read_start
from cascan.nmap.report.item_stream import ItemStream
from cascan.nmap.report.schema import ATTRIBUTES
from cascan.nmap.report.tree.values import parse_count, parse_number, parse_timestamp, to_struct


class ReportReader:
    """Iterates over the report's hosts once, in report order.

    The attributes that come from the end of the report are known after the last host. `complete`
    means that the whole document was read, not that the scan succeeded: for that see `exit`, and
    nmap's exit code.
    """

    def __init__(self, stream: IO[bytes], place: Place | None = None) -> None:
        """Read the start of the report; or resume at the place.

        Raises: UnreadableReport: see `read_report`.
        """
        start = _start_at(place) if place else read_start(stream)
        self._start = start
        self._body = ItemStream(stream, start)
        self.head = to_struct(Head, start.attributes)
        if not start.attributes.keys() <= set(Head.__struct_fields__):
            self._body.warn(ATTRIBUTES)
        self.scanner = self.head.scanner or ""  # empty: nmap failed before it began the document
        self.version = self.head.version or ""
        self.args = self.head.args or ""  # the command line, with script arguments
        self.started_at: datetime | None = parse_timestamp(self.head.start)
        self.finished_at: datetime | None = None
        self.exit: str | None = None  # "success" or "error"; None: absent
        self.errormsg = ""
        self.elapsed_s: float | None = None
        self.hosts_up: int | None = None  # nmap's own counts; None: absent
        self.hosts_down: int | None = None
        self.hosts_total: int | None = None
        self.prescripts: tuple[Script, ...] = ()
        self.postscripts: tuple[Script, ...] = ()
        # the scanned ports, and how; known before the first host
        self.scaninfo: tuple[ScanInfo, ...] = place.scaninfo if place else ()
        # expressions that nmap could not read, without names that it could not resolve
        self.skipped_targets: tuple[str, ...] = ()
        self._body.broken = bool(place and place.broken)

    @property
    def complete(self) -> bool:
        """Whether `</nmaprun>` was read, and nothing before or after it is damaged."""
        return self._body.complete

    @property
    def read_to(self) -> int | None:
        """The byte up to which all hosts were returned. `place` contains what a resume there needs.

        It advances about every hundred kilobytes. None: the report contains comments or similar
        markup, and cannot be resumed.
        """
        return self._body.read_to

    @property
    def place(self) -> Place | None:
        """What `resume_report` needs to start at `read_to`. None: the report cannot be resumed."""
        offset = self.read_to
        if offset is None:
            return None
        return Place(offset=offset, scaninfo=self.scaninfo, broken=self._body.broken)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The faults of the report, one sentence each."""
        return tuple(self._body.warnings)

    def __iter__(self) -> Iterator[Host]:
        for item in self._body.read(everything=False):
            if type(item) is Host:
                yield item
            else:
                self._record(item)

    def render_hosts(
        self,
        path: str,
        render: Callable[[Host], bytes],
        jobs: int,
    ) -> Iterator[bytes]:
        """The results of `render` for the hosts, in report order, computed by `jobs` processes.

        Call it instead of iterating over the hosts, and before threads are started, since the
        processes are forked. `path` is the file that the stream reads, from its start.

        Raises: ReadingProcessDied.
        """
        if jobs <= 1 or self._start.closed:
            yield from map(render, self)
            return
        # Imported here, since the functions of the stack never read files.
        from cascan.nmap.report.parallel import render_ranges  # noqa: PLC0415

        for part in render_ranges(path, self._start.length, jobs, render):
            for item in part.items:
                self._record(item)
            self._body.take(part.warnings, broken=part.broken, complete=part.complete)
            if part.rendered:
                yield part.rendered

    @property
    def source(self) -> str:
        """The XML of the host or item that was returned last: see ItemStream.source."""
        return self._body.source

    @property
    def host_place(self) -> tuple[int, int] | None:
        """First byte and number of bytes of the host that was returned last.

        None: unknown, since the report contains comments or similar markup, or is not UTF-8.
        """
        return self._body.host_place

    def items(self) -> Iterator[Host | Item]:
        """Every item below the root, in report order. Call it instead of iterating over hosts."""
        for item in self._body.read(everything=True):
            self._record(item)
            yield item

    def _record(self, item: Host | Item) -> None:
        if isinstance(item, RunStats):
            self._record_runstats(item)
        elif isinstance(item, PreScripts):
            self.prescripts += item.scripts
        elif isinstance(item, PostScripts):
            self.postscripts += item.scripts
        elif isinstance(item, ScanInfo):
            self.scaninfo += (item,)
        elif isinstance(item, SkippedTarget):
            self.skipped_targets += (item.specification or "",)

    def _record_runstats(self, stats: RunStats) -> None:
        if finished := stats.finished:
            self.exit = finished.exit
            self.errormsg = finished.errormsg or ""
            self.elapsed_s = parse_number(finished.elapsed)
            self.finished_at = parse_timestamp(finished.time)
        if hosts := stats.hosts:
            self.hosts_up = parse_count(hosts.up)
            self.hosts_down = parse_count(hosts.down)
            self.hosts_total = parse_count(hosts.total)


def _start_at(place: Place) -> ReportStart:
    """The start of a report that is read from the place on."""
    return ReportStart({}, b"", closed=False, length=place.offset, remarks=())


def read_report(stream: IO[bytes]) -> ReportReader:
    """The report in the stream, read up to its root element. Iterating over it reads the rest.

    Raises: UnreadableReport: the stream is empty or not XML, has another root element, or has
    declarations inside the document type.
    """
    return ReportReader(stream)


def resume_report(stream: IO[bytes], place: Place) -> ReportReader:
    """The remainder of a report, from the `place` of another reader. The stream begins there.

    From the part before the place, the reader has only `scaninfo` and whether it was damaged.
    """
    return ReportReader(stream, place)
