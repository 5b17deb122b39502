"""A limit on the processor time of a piece of work that touches nothing outside: it is stopped where it stands."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class CpuLimitReached(Exception):
    """The work took more processor time than it may."""


@contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """Stop the body after so much processor time of this process. In a thread that is not the main one: no limit.

    Processor time, not time of day: a busy machine stops nothing earlier.

    Raises: CpuLimitReached.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGVTALRM, _stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise CpuLimitReached
