"""A wall for work that could take for ever on the wrong input. It measures nothing: what is right ends far below it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

CPU_S = 20.0  # a hundred times what the dearest of these takes, on a machine however busy


@contextmanager
def no_hang(cpu_s: float = CPU_S) -> Iterator[None]:
    """Raises: AssertionError: the block has used `cpu_s` seconds of processor time, and is not at its end."""

    def give_up(_signum: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"still at it after {cpu_s:g} s of processor time")

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, cpu_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
