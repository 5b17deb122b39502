"""A forked process that reads ranges of a report: parts go in over there, and come out here, through a pipe.

A part is its number, two lengths, what is to be told of the range beside its hosts (pickled, mostly nothing), and the
rendered hosts as they are. `fork` starts in a millisecond with everything imported; no process is left behind.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from struct import Struct
from typing import IO

from cascan.model.report import Item

PIPE_BYTES = 1024 * 1024  # what Linux gives to anyone: a part fits, so that its process goes on at once
LENGTHS = Struct("<III")  # the range's number, and bytes
NUMBER = Struct("<I")
MAX_QUEUED = 10_000  # numbers: a pipe holds 64 KB from its beginning


@dataclass(slots=True)
class Part:
    """What one range gave."""

    number: int = 0  # of the range
    rendered: bytes = b""
    items: list[Item] = field(default_factory=list)  # what a reader has to know besides the hosts
    warnings: list[str] = field(default_factory=list)
    broken: bool = False
    complete: bool = False  # the report's end was in it, and in order


class Queue:
    """Numbers from 0, each for whichever process takes it first. A pipe: what one has read from it, no other reads."""

    def __init__(self, count: int) -> None:
        self._read, write = os.pipe()
        os.write(write, b"".join(map(NUMBER.pack, range(count))))
        os.close(write)  # so that it ends behind the last number

    def __iter__(self) -> Iterator[int]:
        while number := os.read(self._read, NUMBER.size):
            yield NUMBER.unpack(number)[0]

    def close(self) -> None:
        os.close(self._read)


class Worker:
    """A process that goes through the parts, and hands them over."""

    def __init__(self, parts: Iterator[Part]) -> None:
        """Forks: call it before threads."""
        here, there = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            os.close(here)
            _hand_over(parts, there)
        os.close(there)
        self._pipe = open(here, "rb", buffering=0)  # noqa: PTH123, SIM115 (a descriptor; `end` closes it)
        self._parts = self._arriving()
        self._next: Part | None = None

    def take(self, number: int) -> Part | None:
        """The part, if it is the next one that comes from there; waits for what comes next."""
        if self._next is None:
            self._next = next(self._parts, None)
        if self._next is None or self._next.number != number:
            return None
        part, self._next = self._next, None
        return part

    def _arriving(self) -> Iterator[Part]:
        """Parts, their numbers ascending, until the process ends."""
        while len(lengths := _received(self._pipe, LENGTHS.size)) == LENGTHS.size:
            number, told_bytes, rendered_bytes = LENGTHS.unpack(lengths)
            told, rendered = _received(self._pipe, told_bytes), _received(self._pipe, rendered_bytes)
            if len(rendered) < rendered_bytes:
                return
            part: Part = pickle.loads(told) if told else Part()  # noqa: S301 (our own process wrote it)
            part.number, part.rendered = number, rendered
            yield part

    def end(self) -> None:
        self._pipe.close()
        os.kill(self._pid, signal.SIGKILL)  # it holds nothing but memory
        os.waitpid(self._pid, 0)


def _hand_over(parts: Iterator[Part], pipe: int) -> None:
    """Never returns: what the parent has begun (buffers, handlers, a test run) is its own to end."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told too, and ends this process
        with suppress(AttributeError, OSError):  # not to be had, or only less
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        for part in parts:
            number, rendered = part.number, part.rendered
            part.number, part.rendered = 0, b""
            told = b"" if part == Part() else pickle.dumps(part)
            _send(pipe, LENGTHS.pack(number, len(told), len(rendered)) + told)
            _send(pipe, rendered)
    finally:
        os._exit(0)


def _send(pipe: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(pipe, left) :]


def _received(pipe: IO[bytes], size: int) -> bytes:
    """So many bytes; fewer where the other end was closed."""
    data = pipe.read(size)
    while len(data) < size and (more := pipe.read(size - len(data))):
        data += more
    return data
