"""A limit on the processor time of pure computation. It is stopped wherever it is, so it must not
do I/O.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class CpuLimitReached(Exception):
    """The computation took more processor time than it may."""


@contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """Stop the body after so many seconds of processor time of this process. Outside the main
    thread there is no limit.

    Processor time, not wall-clock time: on a busy machine nothing is stopped earlier.

    Raises: CpuLimitReached.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous_handler = signal.signal(signal.SIGVTALRM, _stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous_handler)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise CpuLimitReached
