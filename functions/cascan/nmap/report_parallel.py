"""A report on disk read by several processes: byte ranges in, what was made of their hosts out, in report order.

Ranges end behind a `</host>`. A range that holds comments, CDATA or the like may end inside one: it and all behind it
are then read by one process, as if there were no others. Each process waits until its last part was taken, so that
memory stays as it is for one.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import IO

from cascan.model.host import Host
from cascan.model.report import Item
from cascan.nmap.report_body import ReportBody
from cascan.nmap.report_cut import HOST_END
from cascan.nmap.report_head import CHUNK_BYTES, Start
from cascan.nmap.report_quick import QuickHosts

RANGE_BYTES = 256 * 1024  # small enough for memory, large enough that handing it over costs nothing

Render = Callable[[Host], bytes]


@dataclass(slots=True)
class Part:
    """What one range gave."""

    rendered: bytes = b""
    items: list[Item] = field(default_factory=list)  # what a reader has to know besides the hosts
    warnings: list[str] = field(default_factory=list)
    broken: bool = False
    complete: bool = False  # the report's end was in it, and in order


def parts(path: str, start: int, jobs: int, render: Render) -> Iterator[Part]:
    """The parts of the file from the byte `start`, which follows the root's tag.

    A process that ends early is made good for by this one, reading on from its range.
    """
    ranges = list(_ranges(path, start)) or [(start, start)]
    context = get_context("fork")
    pipes: list[Connection] = []
    processes = []
    for number in range(min(jobs, len(ranges))):
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(path, ranges[number::jobs], render, there), daemon=True)
        process.start()
        there.close()
        pipes.append(here)
        processes.append(process)
    try:
        for number, (first, _) in enumerate(ranges):
            part = _received(pipes[number % jobs])
            if part is None:
                yield from _the_rest(path, first, render)
                return
            yield part
    finally:
        for pipe, process in zip(pipes, processes, strict=True):
            pipe.close()
            process.terminate()
            process.join()


def _ranges(path: str, start: int) -> Iterator[tuple[int, int]]:
    """Ranges that end behind a host; the last one ends with the file."""
    size = os.stat(path).st_size  # noqa: PTH116 (a path that may be /dev/fd/N)
    with open(path, "rb") as stream:  # noqa: PTH123 (as above)
        while start < size:
            stop = _behind_a_host(stream, start + RANGE_BYTES, size)
            yield start, stop
            start = stop


def _behind_a_host(stream: IO[bytes], offset: int, size: int) -> int:
    """The first byte behind a `</host>` from the offset on; the size where there is none."""
    held = b""
    stream.seek(min(offset, size))
    while chunk := stream.read(CHUNK_BYTES):
        found = (held + chunk).find(HOST_END)
        if found >= 0:
            return offset - len(held) + found + len(HOST_END)
        offset += len(chunk)
        held = (held + chunk)[1 - len(HOST_END) :]
    return size


def _work(path: str, ranges: list[tuple[int, int]], render: Render, pipe: Connection) -> None:
    """Send a part for each range, until one cannot be read by itself."""
    size = os.stat(path).st_size  # noqa: PTH116 (as above)
    quick = QuickHosts()
    with open(path, "rb") as stream:  # noqa: PTH123 (as above)
        for first, stop in ranges:
            stream.seek(first)
            data = stream.read(stop - first)
            if stop < size and _has_markup(data):
                return
            part = _part(io.BytesIO(data), first, render, quick, last=stop == size)
            rendered, part.rendered = part.rendered, b""
            try:
                pipe.send(part)
                pipe.send_bytes(rendered)
            except BrokenPipeError:
                return


def _has_markup(data: bytes) -> bool:
    """Whether there is a `<!` or `<?`. Looking for the second byte, which is rare, is faster than for both."""
    for mark in b"!", b"?":
        at = data.find(mark)
        while at >= 0:
            if data[at - 1 : at] == b"<":
                return True
            at = data.find(mark, at + 1)
    return False


def _part(stream: IO[bytes], first: int, render: Render, quick: QuickHosts, *, last: bool) -> Part:
    body = ReportBody(stream, Start({}, b"", closed=False, length=first, remarks=()), quick=quick, whole=last)
    part = Part()
    found: list[bytes] = []
    for item in body.read(everything=False):
        if isinstance(item, Host):
            found.append(render(item))
        else:
            part.items.append(item)
    stream.close()  # the body is a cycle that the collector finds late; the bytes need not wait for it
    part.rendered = b"".join(found)
    part.warnings, part.broken, part.complete = body.warnings, body.broken, last and body.complete
    return part


def _the_rest(path: str, first: int, render: Render) -> Iterator[Part]:
    """The report from that byte on, a host at a time."""
    with open(path, "rb") as stream:  # noqa: PTH123 (as above)
        stream.seek(first)
        body = ReportBody(stream, Start({}, b"", closed=False, length=first, remarks=()))
        for item in body.read(everything=False):
            yield Part(rendered=render(item)) if isinstance(item, Host) else Part(items=[item])
        yield Part(warnings=body.warnings, broken=body.broken, complete=body.complete)


def _received(pipe: Connection) -> Part | None:
    """The next part of that process; None: it ended before."""
    try:
        part: Part = pipe.recv()
        part.rendered = pipe.recv_bytes()
    except EOFError:
        return None
    return part
