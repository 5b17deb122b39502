"""Read a report on disk with several processes: the rendered hosts of each byte range, in order.

A range ends after a `</host>`. A range with comments, CDATA or similar markup may end inside it:
then this process alone reads that range and all that follow. Each process has only a few ranges in
progress, so that memory stays constant for a report of any size.
"""

from __future__ import annotations

import io
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import connection, get_context, parent_process
from typing import IO, NamedTuple

from cascan.errors import ReadingProcessDied
from cascan.limits import MAX_RANGES_PER_PROCESS
from cascan.model.host import Host
from cascan.model.report import Item
from cascan.nmap.report.fast.host import FastHostReader
from cascan.nmap.report.head import ReportStart
from cascan.nmap.report.item_stream import ItemStream
from cascan.nmap.report.split import HOST_END

RANGE_BYTES = 256 * 1024  # needs little memory, and is rarely passed between processes
SEARCH_BYTES = 16 * 1024  # most hosts are shorter
DIED = """\
A process that read the report ended unexpectedly, as happens when memory runs out. \
Use fewer processes."""

Render = Callable[[Host], bytes]


class ByteRange(NamedTuple):
    """Bytes of the report; `is_last`: the end of the file is among them."""

    start: int
    stop: int
    is_last: bool


@dataclass(slots=True)
class RenderedRange:
    """The result of reading one range."""

    rendered: bytes = b""
    items: list[Item] = field(default_factory=list)  # other items that the reader needs
    warnings: list[str] = field(default_factory=list)
    broken: bool = False
    complete: bool = False  # the range contains the report's end, which is in order


def render_ranges(path: str, start: int, jobs: int, render: Render) -> Iterator[RenderedRange]:
    """Read the file with `jobs` processes, from the byte `start`, which follows the root's tag.

    The processes are forked, so `render` may be any function. Call it before threads are started.
    Raises: ReadingProcessDied, and the errors of `render`.
    """
    size = os.stat(path).st_size  # noqa: PTH116 (a path that may be /dev/fd/N)
    jobs = min(jobs, size // RANGE_BYTES + 1)
    ranges = _split(path, start, size)
    running: deque[tuple[ByteRange, Future[RenderedRange | None]]] = deque()
    pool = ProcessPoolExecutor(jobs, get_context("fork"), _start_process, (path, render))
    try:
        while True:
            for part in islice(ranges, jobs * MAX_RANGES_PER_PROCESS - len(running)):
                running.append((part, pool.submit(_render_range, part)))
            if not running:
                return
            oldest, future = running.popleft()
            result = future.result()
            if result is None:
                yield from _render_from(path, oldest.start, render)
                return
            yield result
    except BrokenProcessPool as exc:
        raise ReadingProcessDied(DIED) from exc
    finally:
        pool.shutdown(cancel_futures=True)


def _split(path: str, start: int, size: int) -> Iterator[ByteRange]:
    """Ranges that end after a host; the last ends with the file. There is at least one."""
    with open(path, "rb") as stream:  # noqa: PTH123 (as above)
        while True:
            stop = _find_host_end(stream, start + RANGE_BYTES, size)
            yield ByteRange(start, stop, stop >= size)
            if stop >= size:
                return
            start = stop


def _find_host_end(stream: IO[bytes], offset: int, size: int) -> int:
    """The byte after the first `</host>` from the offset on. The size, if there is none."""
    tail = b""  # the end of the last chunk, since a tag may be in two chunks
    stream.seek(min(offset, size))
    while chunk := stream.read(SEARCH_BYTES):
        index = (tail + chunk).find(HOST_END)
        if index >= 0:
            return offset - len(tail) + index + len(HOST_END)
        offset += len(chunk)
        tail = (tail + chunk)[1 - len(HOST_END) :]
    return size


def _render_from(path: str, start: int, render: Render) -> Iterator[RenderedRange]:
    """The report from the byte `start` on; each result has one host or item."""
    with open(path, "rb") as stream:  # noqa: PTH123 (as above)
        stream.seek(start)
        items = ItemStream(stream, ReportStart({}, b"", closed=False, length=start, remarks=()))
        for item in items.read(everything=False):
            if isinstance(item, Host):
                yield RenderedRange(render(item))
            else:
                yield RenderedRange(items=[item])
        yield RenderedRange(
            warnings=items.warnings,
            broken=items.broken,
            complete=items.complete,
        )


class _RangeReader:
    """Reads ranges of one report in a process of the pool.

    Elements that repeat are cached from range to range.
    """

    def __init__(self, path: str, render: Render) -> None:
        self._render = render
        # It stays open as long as the process runs.
        self._stream = open(path, "rb", buffering=0)  # noqa: PTH123, SIM115 (as above)
        self._fast = FastHostReader()

    def read(self, part: ByteRange) -> RenderedRange | None:
        """The range's hosts, rendered. None: the range cannot be read by itself."""
        length = part.stop - part.start
        data = os.pread(self._stream.fileno(), length, part.start)
        if not part.is_last and (len(data) < length or _has_markup(data)):
            return None
        start = ReportStart({}, data, closed=False, length=part.start, remarks=())
        stream = ItemStream(io.BytesIO(), start, fast=self._fast, to_end=part.is_last)
        result = RenderedRange()
        rendered: list[bytes] = []
        for item in stream.read(everything=False):
            if isinstance(item, Host):
                rendered.append(self._render(item))
            else:
                result.items.append(item)
        result.rendered = b"".join(rendered)
        result.warnings, result.broken = stream.warnings, stream.broken
        result.complete = part.is_last and stream.complete
        return result


def _has_markup(data: bytes) -> bool:
    """Whether there is a `<!` or `<?`.

    Searching for the second byte, which is rare, is faster than searching for both.
    """
    for mark in b"!", b"?":
        index = data.find(mark)
        while index >= 0:
            if data[index - 1 : index] == b"<":
                return True
            index = data.find(mark, index + 1)
    return False


_reader: _RangeReader | None = None  # of this process, if it is one of the pool's


def _start_process(path: str, render: Render) -> None:
    """Prepare a new process of the pool."""
    global _reader  # noqa: PLW0603 (a pool has no other place for what a process keeps)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends the pool
    for number in (signal.SIGTERM, signal.SIGHUP):  # without the handlers of the parent
        signal.signal(number, signal.SIG_DFL)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    _reader = _RangeReader(path, render)


def _exit_with_parent() -> None:
    """End this process when its parent ends.

    A parent that was killed cannot end its pool, whose processes would wait for work forever.
    """
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _render_range(part: ByteRange) -> RenderedRange | None:
    assert _reader is not None, "the pool starts each process with _start_process"  # noqa: S101
    return _reader.read(part)
