"""A report of nmap, read host by host in constant memory: XML bytes in, Host values out.

    head.py         the start, up to the root element's tag; refuses other documents
    split.py        the bytes behind it, in batches of whole host elements
    fast/           a host written exactly as nmap writes it, by patterns
    tree/host.py    any other host, from its parsed element
    tree/items.py   the items beside the hosts

Of a damaged report everything before and behind the damage is read; `complete` and `warnings` say what is missing.
Only bytes that are not a report at all raise an error.
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
    """Iterates over the report's hosts once, in report order. What follows the hosts is known after the last one.

    `complete` says that the whole document is there, not that the scan succeeded: see `exit`, and nmap's exit code.
    """

    def __init__(self, stream: IO[bytes], place: Place | None = None) -> None:
        """Raises: UnreadableReport: empty, not XML, another root element, or declarations inside the document type."""
        start = ReportStart({}, b"", closed=False, length=place.offset, remarks=()) if place else read_start(stream)
        self._start = start
        self._body = ItemStream(stream, start)
        self.head = to_struct(Head, start.attributes)
        if not start.attributes.keys() <= set(Head.__struct_fields__):
            self._body.warn(ATTRIBUTES)
        self.scanner = self.head.scanner or ""  # empty: nmap failed before it began the document
        self.version = self.head.version or ""
        self.args = self.head.args or ""  # the command line, script arguments and all
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
        self.skipped_targets: tuple[str, ...] = ()  # expressions nmap could not read; unresolved names are not here
        self._body.broken = bool(place and place.broken)

    @property
    def complete(self) -> bool:
        """`</nmaprun>` was read, and nothing before or behind it is damaged."""
        return self._body.complete

    @property
    def read_to(self) -> int | None:
        """The byte up to which all hosts were returned: `place` says how to resume there.

        It advances every hundred kilobytes or so. None: the report holds comments and the like, and cannot be resumed.
        """
        return self._body.read_to

    @property
    def place(self) -> Place | None:
        """What `resume_report` needs to begin at `read_to`."""
        offset = self.read_to
        return None if offset is None else Place(offset=offset, scaninfo=self.scaninfo, broken=self._body.broken)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the report, one sentence each."""
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
        """What `render` returns for the hosts, in report order, from as many processes. Use it instead of iterating.

        `path` is the file that the stream was opened on, from its start. Processes are forked: call it before threads.
        Raises: ReadingProcessDied.
        """
        if jobs <= 1 or self._start.closed:
            yield from map(render, self)
            return
        from cascan.nmap.report.parallel import render_ranges  # noqa: PLC0415 (for files on disk alone: the pipeline streams)

        for part in render_ranges(path, self._start.length, jobs, render):
            for item in part.items:
                self._record(item)
            self._body.take(part.warnings, broken=part.broken, complete=part.complete)
            if part.rendered:
                yield part.rendered

    @property
    def source(self) -> str:
        """XML of the host or item that was returned last, with all that the report has of it: see ItemStream.source."""
        return self._body.source

    def items(self) -> Iterator[Host | Item]:
        """Every item below the root once, in report order. Use it instead of iterating over the hosts."""
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
            self.hosts_up, self.hosts_down, self.hosts_total = map(parse_count, (hosts.up, hosts.down, hosts.total))


def read_report(stream: IO[bytes]) -> ReportReader:
    """The report in the stream, read up to its root element; iterating reads on.

    Raises: UnreadableReport: empty, not XML, another root element, or declarations inside the document type.
    """
    return ReportReader(stream)


def resume_report(stream: IO[bytes], place: Place) -> ReportReader:
    """The remainder of a report, from the `place` of another reader; the stream begins there.

    Of what precedes the place only `scaninfo` is known, and whether it was damaged.
    """
    return ReportReader(stream, place)
