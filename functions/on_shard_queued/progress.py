"""The progress of nmap, read from the report that it is writing.

The report has the finished hosts and the output of `--stats-every`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from cascan.model.shard import Progress

CHUNK_BYTES = 1024 * 1024
OVERLAP_BYTES = 256  # longer than any element that TASK or MARK matches
TASK = re.compile(
    rb'<task(?P<kind>begin|progress|end) task="(?P<task>[^"]{0,80})"'
    rb"(?P<attributes>[^>]{0,160})/>"
)
PERCENT = re.compile(rb' percent="([0-9]{1,3})')
# nmap escapes `<` in texts, so no text from a scanned host looks like one of these
MARK = re.compile(
    rb"(?P<host></host>)|(?P<hint></hosthint>)"
    rb'|<status state="(?P<up>up)"|<state state="(?P<open>open)"'
    rb'|<address addr="(?P<address>[0-9a-fA-F.:]{2,45})" addrtype="ipv[46]"'
)
RANDOM_ORDER = "--randomize-hosts"


class ReportTail:
    """Reads what nmap has written since the last call, and remembers the progress."""

    def __init__(self, report: Path, addresses: Iterable[str] = (), arguments: Iterable[str] = ()) -> None:
        """`addresses`: as nmap got them. It finishes them in this order, unless `arguments` say otherwise."""
        self._report = report
        self._offset = 0
        self._tail = b""
        self._progress = Progress()
        is_ordered = RANDOM_ORDER not in arguments
        self._positions = {each: count for count, each in enumerate(addresses, 1)} if is_ordered else {}
        self._host = _OpenHost()

    def look(self) -> Progress:
        """The current progress; the last known one if the report cannot be read (yet)."""
        with suppress(OSError), self._report.open("rb") as stream:
            stream.seek(self._offset)
            while chunk := stream.read(CHUNK_BYTES):
                self._take(chunk)
        return self._progress

    def _take(self, chunk: bytes) -> None:
        self._offset += len(chunk)
        text, known = self._tail + chunk, len(self._tail)
        for mark in MARK.finditer(text):
            if mark.end() > known:  # else an earlier call has counted it
                self._count(mark)
        task, percent = self._progress.task, self._progress.percent
        for match in TASK.finditer(text):
            task = match["task"].decode("ascii", "replace")
            stated = PERCENT.search(match["attributes"])
            percent = int(stated[1]) if stated else 100 * (match["kind"] == b"end")
        self._tail = text[-OVERLAP_BYTES:]
        self._progress = msgspec.structs.replace(self._progress, task=task, percent=min(percent, 100))

    def _count(self, mark: re.Match[bytes]) -> None:
        """Count an element in its host, and the host once it ends."""
        host = self._host
        match mark.lastgroup:
            case "host":
                self._progress = host.add_to(self._progress)
                self._host = _OpenHost()
            case "hint":  # of a host that nmap begins with
                self._host = _OpenHost()
            case "up":
                host.is_up = True
            case "open":
                host.open_ports += 1
            case _:
                host.position = self._positions.get(mark["address"].decode("ascii"), 0)


class _OpenHost:
    """What is known of a host before its element ends."""

    def __init__(self) -> None:
        self.is_up = False
        self.open_ports = 0
        self.position = 0  # among the addresses, from 1; 0: unknown

    def add_to(self, progress: Progress) -> Progress:
        """The progress once this host is done."""
        hosts_done = progress.hosts_done + 1
        # With -v, nmap writes a host that is down before it scans those ahead of it in the list
        passed = self.position if self.is_up else 0
        return msgspec.structs.replace(
            progress,
            hosts_done=hosts_done,
            hosts_up=progress.hosts_up + self.is_up,
            open_ports=progress.open_ports + self.open_ports,
            addresses_done=max(progress.addresses_done, passed, hosts_done),
        )
