"""A report on disk read by several processes: byte ranges in, what was made of their hosts out, in report order.

Ranges end behind a `</host>`. A range that holds comments, CDATA or the like may end inside one: it and all behind it
are then read by one process, as if there were no others. The process that asks reads ranges itself; the others are
forked from it (worker.py). Whoever is free takes the next range. A process waits when what it made fills its
pipe, so that memory stays as it is for one.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from itertools import chain
from typing import IO

from cascan.model.host import Host
from cascan.nmap.report.fast.host import FastHostReader
from cascan.nmap.report.head import ReportStart
from cascan.nmap.report.item_stream import ItemStream
from cascan.nmap.report.parallel.worker import MAX_QUEUED, Part, Queue, Worker
from cascan.nmap.report.split import HOST_END

RANGE_BYTES = 128 * 1024  # small enough for memory, large enough that handing it over costs nothing
LOOK_BYTES = 16 * 1024  # most hosts end within

Render = Callable[[Host], bytes]


def parts(path: str, start: int, jobs: int, render: Render) -> Iterator[Part]:
    """The parts of the file from the byte `start`, which follows the root's tag.

    A process that ends early is made good for by this one, reading on from its range.
    """
    ranges = list(_ranges(path, start)) or [(start, start)]
    queue = Queue(len(ranges))
    workers = [Worker(_read(path, ranges, queue, render)) for _ in range(1, min(jobs, len(ranges)))]
    done = 0
    try:
        for part in chain(_read(path, ranges, queue, render), [Part(number=len(ranges))]):
            while done < part.number:
                earlier = _taken(workers, done)
                if earlier is None:
                    yield from _the_rest(path, ranges[done][0], render)
                    return
                yield earlier
                done += 1
            if done < len(ranges):
                yield part
                done += 1
    finally:
        queue.close()
        for worker in workers:
            worker.end()


def _taken(workers: list[Worker], number: int) -> Part | None:
    """The part of that number from whichever process has it; None: it ended before, or could not read it."""
    return next((part for worker in workers if (part := worker.take(number))), None)


def _ranges(path: str, start: int) -> Iterator[tuple[int, int]]:
    """Ranges that end behind a host; the last one ends with the file."""
    size = os.stat(path).st_size  # noqa: PTH116 (a path that may be /dev/fd/N)
    with open(path, "rb") as stream:  # noqa: PTH123 (as above)
        while start < size:
            stop = _behind_a_host(stream, start + max(RANGE_BYTES, size // MAX_QUEUED), size)
            yield start, stop
            start = stop


def _behind_a_host(stream: IO[bytes], offset: int, size: int) -> int:
    """The first byte behind a `</host>` from the offset on; the size where there is none."""
    held = b""
    stream.seek(min(offset, size))
    while chunk := stream.read(LOOK_BYTES):
        found = (held + chunk).find(HOST_END)
        if found >= 0:
            return offset - len(held) + found + len(HOST_END)
        offset += len(chunk)
        held = (held + chunk)[1 - len(HOST_END) :]
    return size


def _read(path: str, ranges: list[tuple[int, int]], queue: Queue, render: Render) -> Iterator[Part]:
    """A part for each range that the queue gives, until one cannot be read by itself."""
    size = os.stat(path).st_size  # noqa: PTH116 (as above)
    quick = FastHostReader()
    with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 (as above)
        for number in queue:
            first, stop = ranges[number]
            data = os.pread(stream.fileno(), stop - first, first)
            if stop < size and (len(data) < stop - first or _has_markup(data)):
                return
            part = _part(data, first, render, quick, last=stop == size)
            part.number = number
            yield part


def _has_markup(data: bytes) -> bool:
    """Whether there is a `<!` or `<?`. Looking for the second byte, which is rare, is faster than for both."""
    for mark in b"!", b"?":
        at = data.find(mark)
        while at >= 0:
            if data[at - 1 : at] == b"<":
                return True
            at = data.find(mark, at + 1)
    return False


def _part(data: bytes, first: int, render: Render, quick: FastHostReader, *, last: bool) -> Part:
    body = ItemStream(
        io.BytesIO(), ReportStart({}, data, closed=False, length=first, remarks=()), quick=quick, whole=last
    )
    part = Part()
    found: list[bytes] = []
    for item in body.read(everything=False):
        if isinstance(item, Host):
            found.append(render(item))
        else:
            part.items.append(item)
    part.rendered = b"".join(found)
    part.warnings, part.broken, part.complete = body.warnings, body.broken, last and body.complete
    return part


def _the_rest(path: str, first: int, render: Render) -> Iterator[Part]:
    """The report from that byte on, a host at a time."""
    with open(path, "rb") as stream:  # noqa: PTH123 (as above)
        stream.seek(first)
        body = ItemStream(stream, ReportStart({}, b"", closed=False, length=first, remarks=()))
        for item in body.read(everything=False):
            yield Part(rendered=render(item)) if isinstance(item, Host) else Part(items=[item])
        yield Part(warnings=body.warnings, broken=body.broken, complete=body.complete)
