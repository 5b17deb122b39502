"""The progress of nmap, read from the report that it is writing.

The report has the finished hosts and the output of `--stats-every`.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from cascan.model.shard import Progress

CHUNK_BYTES = 1024 * 1024
OVERLAP_BYTES = 256  # longer than any <task...> element that TASK matches
HOST_END = b"</host>"
TASK = re.compile(
    rb'<task(?P<kind>begin|progress|end) task="(?P<task>[^"]{0,80})"'
    rb"(?P<attributes>[^>]{0,160})/>"
)
PERCENT = re.compile(rb' percent="([0-9]{1,3})')


class ReportTail:
    """Reads what nmap has written since the last call, and remembers the progress."""

    def __init__(self, report: Path) -> None:
        self._report = report
        self._offset = 0
        self._tail = b""
        self._progress = Progress()

    def look(self) -> Progress:
        """The current progress; the last known one if the report cannot be read (yet)."""
        with suppress(OSError), self._report.open("rb") as stream:
            stream.seek(self._offset)
            while chunk := stream.read(CHUNK_BYTES):
                self._take(chunk)
        return self._progress

    def _take(self, chunk: bytes) -> None:
        self._offset += len(chunk)
        # Finds an end tag across two chunks, and counts none twice
        seen = self._tail[-(len(HOST_END) - 1) :] + chunk
        hosts = self._progress.hosts_done + seen.count(HOST_END)
        task, percent = self._progress.task, self._progress.percent
        for match in TASK.finditer(self._tail + chunk):
            task = match["task"].decode("ascii", "replace")
            stated = PERCENT.search(match["attributes"])
            percent = int(stated[1]) if stated else 100 * (match["kind"] == b"end")
        self._tail = (self._tail + chunk)[-OVERLAP_BYTES:]
        self._progress = Progress(task=task, percent=min(percent, 100), hosts_done=hosts)
