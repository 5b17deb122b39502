"""A report of nmap, read host by host in constant memory: XML bytes in, Host values out.

A damaged report is read as far as it goes; `complete` and `warnings` say how far that was. Raising is left to bytes
that are no report at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import IO
from xml.etree.ElementTree import Element

from cascan.model.host import Host, Script
from cascan.nmap.report_host import count_in, host_of, instant_in, number_in, scripts_in, text_in
from cascan.nmap.report_text import repaired
from cascan.nmap.report_xml import RootChildren

WANTED = ("host", "runstats", "prescript", "postscript", "target")  # hosthint repeats the host, before it is scanned


class ReportReader:
    """Iterates the report's hosts, in report order, once. What stands behind the hosts is known after the last one.

    `complete` says that the whole document is there, not that the scan went well: see `exit`, and nmap's exit code.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        """Raises: UnreadableReport: empty, not XML, another root element, or declarations inside the document type."""
        self._elements = RootChildren(stream, WANTED)
        root = self._elements.root or {}
        self.scanner = repaired(root.get("scanner", ""))  # empty: nmap failed before it began the document
        self.version = repaired(root.get("version", ""))
        self.args = repaired(root.get("args", ""))  # the command line, script arguments and all
        self.started_at: datetime | None = instant_in(root, "start")
        self.finished_at: datetime | None = None
        self.exit: str | None = None  # "success" or "error"; None: nmap did not get to say
        self.errormsg = ""
        self.elapsed_s: float | None = None
        self.hosts_up: int | None = None  # nmap's own counts; None: absent
        self.hosts_down: int | None = None
        self.hosts_total: int | None = None
        self.prescripts: tuple[Script, ...] = ()
        self.postscripts: tuple[Script, ...] = ()
        self.skipped_targets: tuple[str, ...] = ()  # expressions nmap could not read; unresolved names are not here

    @property
    def complete(self) -> bool:
        """`</nmaprun>` was read, the XML is well-formed to its last byte."""
        return self._elements.complete

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was wrong with the report, one sentence each."""
        return tuple(self._elements.warnings)

    def __iter__(self) -> Iterator[Host]:
        for element in self._elements:
            if element.tag == "host":
                yield host_of(element, self._elements.warn)
            else:
                self._note(element)

    def _note(self, element: Element) -> None:
        if element.tag == "prescript":
            self.prescripts += scripts_in(element)
        elif element.tag == "postscript":
            self.postscripts += scripts_in(element)
        elif element.tag == "target":
            self.skipped_targets += (text_in(element.attrib, "specification"),)
        else:
            self._note_runstats(element)

    def _note_runstats(self, runstats: Element) -> None:
        for child in runstats:
            if child.tag == "finished":
                self.exit = child.get("exit")
                self.errormsg = text_in(child.attrib, "errormsg")
                self.elapsed_s = number_in(child.attrib, "elapsed")
                self.finished_at = instant_in(child.attrib, "time")
            elif child.tag == "hosts":
                self.hosts_up = count_in(child.attrib, "up")
                self.hosts_down = count_in(child.attrib, "down")
                self.hosts_total = count_in(child.attrib, "total")


def read_report(stream: IO[bytes]) -> ReportReader:
    """The report in the stream, read up to its root element; iterating reads on.

    Raises: UnreadableReport: empty, not XML, another root element, or declarations inside the document type.
    """
    return ReportReader(stream)
