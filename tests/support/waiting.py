"""Waiting for something to become true, for a bounded time: no test sleeps and hopes, none judges by the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

POLL_S = 0.02
MAX_POLL_S = 0.5
PAUSES = 4  # times what a check took
WITHIN_S = 60.0  # many times what anything here takes: only what never comes waits so long
T = TypeVar("T")


def eventually(check: Callable[[], T], timeout_s: float = WITHIN_S) -> T:
    """What `check` gives, once that is true. Raises: AssertionError: it never was, in `timeout_s`.

    A check that takes long, such as one that runs a command, comes less often: it leaves the core to what it waits for.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        started = time.monotonic()
        if found := check():
            return found
        now = time.monotonic()
        if now > deadline:
            raise AssertionError(f"still {found!r} after {timeout_s:g} s: {check}")
        time.sleep(min(max(POLL_S, PAUSES * (now - started)), MAX_POLL_S))


def await_another_second() -> None:
    """Return in the next second, for what is named by its second."""
    second = int(time.time())
    eventually(lambda: int(time.time()) > second, 5)
