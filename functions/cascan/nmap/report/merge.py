"""Reports of one scan's shards → one report, as one nmap would have written it: streams in, XML out, constant memory.

What stands below the roots is copied byte for byte, one report after the other; the frame around it is made anew:

    nmaprun    of the first report that says its version: args, version; start: given, else that report's
    scaninfo   of the first report that has hosts, as verbose and debugging: a scan's shards share their options
    runstats   hosts: summed; of a report without runstats, the hosts that it has whole
               finished: time is the latest, elapsed is from start to then, exit is success if every report says so

A host that another report says more of is left out, and out of the sums. A damaged report contributes its whole hosts.
What nmap.dtd does not know is left out. Source: nmap.dtd.
"""

from __future__ import annotations

import re
import time
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO, NamedTuple
from xml.etree.ElementTree import XML, ParseError
from xml.sax.saxutils import quoteattr

from cascan.nmap.report.raw import RawChild, RawReport

FRAME = ("scaninfo", "verbose", "debugging")
BODY = frozenset(
    {"target", "taskbegin", "taskprogress", "taskend", "hosthint", "prescript", "postscript", "host", "output"}
)
ADDRESS = re.compile(rb"<address\b[^>]*?\baddr\s*=\s*[\"']([^\"']*)[\"'][^>]*?\baddrtype\s*=\s*[\"']ipv[46]")
STATE = re.compile(rb"<status\b[^>]*?\bstate\s*=\s*[\"'](\w+)")
PIECE_BYTES = 256 * 1024


class Part(NamedTuple):
    """One of the reports that are merged."""

    stream: IO[bytes]
    left_out: Container[str] = ()  # addresses whose hosts another of the reports has


def merge_reports(
    reports: Iterable[Part], *, note: str = "", missing: int = 0, started_at: datetime | None = None
) -> Iterator[bytes]:
    """The merged report in pieces of about PIECE_BYTES; none at all where no stream is a report.

    Each stream is read to its end and closed before the next is asked for. `note` becomes a comment at the top (it may
    not hold `--`); `missing` counts reports that there should be and are not; `started_at` is when the scan began.
    """
    return ReportMerge(note, missing, started_at).pieces(reports)


@dataclass
class _Counted:
    """What a report says of its run, or what its hosts say where it was cut short."""

    up: int = 0
    total: int = 0
    finished: float = 0  # seconds since 1970
    succeeded: bool = False

    def count(self, host: bytes) -> None:
        state = STATE.search(host)
        self.up += bool(state and state[1] == b"up")
        self.total += 1

    def read(self, runstats: bytes) -> None:
        try:
            children = XML(runstats)
        except ParseError:  # a prefix of no namespace: well-formed all the same, and nothing that nmap writes
            return
        for child in children:
            if child.tag == "finished":
                self.finished = _number(child.get("time"))
                self.succeeded = child.get("exit", "success") == "success"
            elif child.tag == "hosts":
                self.up, self.total = int(_number(child.get("up"))), int(_number(child.get("total")))


class ReportMerge:
    """One merge. `flaws`: how many reports are missing, damaged, or of a run that failed; true after the last piece."""

    def __init__(self, note: str = "", missing: int = 0, started_at: datetime | None = None) -> None:
        self.flaws = missing
        self._note = note
        self._started = int(started_at.timestamp()) if started_at else 0  # seconds since 1970; 0: not known yet
        self._finished: float = 0
        self._up = self._total = 0
        self._root: dict[str, str] | None = None  # of the first report
        self._begun = False

    @property
    def began(self) -> bool:
        """A report was among the streams."""
        return self._root is not None

    def pieces(self, reports: Iterable[Part]) -> Iterator[bytes]:
        """See merge_reports."""
        held = bytearray()
        for piece in self._elements(reports):
            held += piece
            if len(held) >= PIECE_BYTES:
                yield bytes(held)
                held.clear()
        if held:
            yield bytes(held)

    def _elements(self, reports: Iterable[Part]) -> Iterator[bytes]:
        for stream, left_out in reports:
            with stream:
                yield from self._elements_of(RawReport(stream), left_out)
        if self._root is not None:
            yield from self._beginning(())
            yield self._ending()

    def _elements_of(self, report: RawReport, left_out: Container[str]) -> Iterator[bytes]:
        frame: list[RawChild] = []
        hosts, said, elsewhere = _Counted(), _Counted(), _Counted()
        for child in report:
            self._see(report.root)
            if child.name in FRAME:
                frame.append(child)
            elif child.name == "runstats":
                said.read(child.xml)
            elif child.name in BODY:
                if child.name == "host":
                    hosts.count(child.xml)
                    if left_out and _address(child.xml) in left_out:
                        elsewhere.count(child.xml)
                        continue
                yield from self._beginning(frame)
                yield child.xml + b"\n"
        self._see(report.root)
        self._add(said if said.finished else hosts, elsewhere, whole=report.complete)

    def _see(self, root: dict[str, str] | None) -> None:
        """Keep the first root, or rather the first that says its version: nmap may fail before it does."""
        if root is not None and (self._root is None or ("version" in root and "version" not in self._root)):
            self._root = root

    def _add(self, counted: _Counted, elsewhere: _Counted, *, whole: bool) -> None:
        self._up += max(0, counted.up - elsewhere.up)
        self._total += max(0, counted.total - elsewhere.total)
        self._finished = max(self._finished, counted.finished)
        self.flaws += not (whole and counted.succeeded)

    def _beginning(self, frame: Iterable[RawChild]) -> Iterator[bytes]:
        """The document up to what stands below its frame, once."""
        if self._begun or self._root is None:
            return
        self._begun = True
        self._started = self._started or int(_number(self._root.get("start")))
        attributes = {
            "scanner": "nmap",
            "args": self._root.get("args", ""),
            "start": str(self._started),
            "startstr": _told(self._started),
            "version": self._root.get("version", ""),
            "xmloutputversion": self._root.get("xmloutputversion", "1.05"),
        }
        yield b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE nmaprun>\n'
        if self._note:
            yield f"<!-- {self._note} -->\n".encode()
        yield f"<nmaprun{_written(attributes)}>\n".encode("utf-8", "xmlcharrefreplace")
        frame = list(frame)
        for name in FRAME:
            several = [child.xml for child in frame if child.name == name]
            if name != "scaninfo":
                several = several[:1] or [f'<{name} level="0"/>'.encode()]
            yield from (xml + b"\n" for xml in several)

    def _ending(self) -> bytes:
        finished = int(max(self._finished, self._started))
        elapsed, told = finished - self._started, _told(finished)
        hosts = f"{self._total} IP addresses ({self._up} hosts up) scanned in {elapsed} seconds"
        ran = {
            "time": str(finished),
            "timestr": told,
            "summary": f"Nmap done at {told}; {hosts}",
            "elapsed": str(elapsed),
        }
        ran["exit"] = "error" if self.flaws else "success"
        if self.flaws:
            ran["errormsg"] = f"{self.flaws} of the reports merged here are missing, cut short, or of a run that failed"
        counts = {"up": str(self._up), "down": str(max(0, self._total - self._up)), "total": str(self._total)}
        return f"<runstats><finished{_written(ran)}/><hosts{_written(counts)}/>\n</runstats>\n</nmaprun>\n".encode()


def _address(host: bytes) -> str:
    """The first address of a host element that is none of Ethernet."""
    found = ADDRESS.search(host)
    return found[1].decode("ascii", "replace") if found else ""


def _written(attributes: dict[str, str]) -> str:
    """Attributes as they stand in a tag; beyond ASCII as references, as nmap has them."""
    return "".join(f" {name}={_quoted(value)}" for name, value in attributes.items())


def _quoted(value: str) -> str:
    return quoteattr(value, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def _number(text: str | None) -> float:
    """0 where it is none."""
    try:
        number = float(text or 0)
    except ValueError:
        return 0
    return number if 0 <= number < 1e15 else 0  # noqa: PLR2004 (no time nor count of ours; and no infinity)


def _told(seconds: int) -> str:
    """As nmap writes an instant; in UTC."""
    return time.asctime(time.gmtime(seconds))
