"""Reads that need nothing of each other, made side by side: a page waits for the longest and not for all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from cascan.limits import MAX_CONSOLE_READERS

Value = TypeVar("Value")
Read = TypeVar("Read")


class Readers:
    """Threads that stay, each with its connections. A read of theirs may not wait for another one."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MAX_CONSOLE_READERS, "console-reader")

    def start(self, read: Callable[[], Read]) -> Future[Read]:
        return self._threads.submit(read)

    def map(self, read: Callable[[Value], Read], values: Iterable[Value]) -> Iterator[Read]:
        """What is read for each value, in order, up to MAX_CONSOLE_READERS values ahead of the caller.

        The first value is read alone, because a page often needs no more, and then twice as many each time.
        """
        remaining, ahead = iter(values), 1
        while batch := list(islice(remaining, ahead)):
            yield from self._threads.map(read, batch)
            ahead = min(2 * ahead, MAX_CONSOLE_READERS)

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
