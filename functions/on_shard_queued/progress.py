"""How far nmap is, read from the report that it is writing. Hosts, and what `--stats-every` says between them."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from cascan.model.shard import Progress

CHUNK_BYTES = 1024 * 1024
OVERLAP_BYTES = 256  # an element of progress is shorter
HOST_END = b"</host>"
TASK = re.compile(rb'<task(?P<kind>begin|progress|end) task="(?P<task>[^"]{0,80})"(?P<rest>[^>]{0,160})/>')
PERCENT = re.compile(rb' percent="([0-9]{1,3})')


class ReportTail:
    """Reads what was written since the last look, once."""

    def __init__(self, report: Path) -> None:
        self._report = report
        self._offset = 0
        self._last = b""
        self._progress = Progress()

    def look(self) -> Progress:
        """The progress now. A report that is not there yet, or cannot be read, says nothing new."""
        with suppress(OSError), self._report.open("rb") as stream:
            stream.seek(self._offset)
            while chunk := stream.read(CHUNK_BYTES):
                self._take(chunk)
        return self._progress

    def _take(self, chunk: bytes) -> None:
        self._offset += len(chunk)
        seen = self._last[-(len(HOST_END) - 1) :] + chunk  # an end that fell between two chunks, and none twice
        hosts = self._progress.hosts_done + seen.count(HOST_END)
        task, percent = self._progress.task, self._progress.percent
        for match in TASK.finditer(self._last + chunk):
            task = match["task"].decode("ascii", "replace")
            said = PERCENT.search(match["rest"])
            percent = int(said[1]) if said else 100 * (match["kind"] == b"end")
        self._last = (self._last + chunk)[-OVERLAP_BYTES:]
        self._progress = Progress(task=task, percent=min(percent, 100), hosts_done=hosts)
