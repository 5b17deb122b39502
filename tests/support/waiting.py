"""Waiting for something to become true, for a bounded time: no test sleeps and hopes, none judges by the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

POLL_S = 0.02
WITHIN_S = 60.0  # many times what anything here takes: only what never comes waits so long
T = TypeVar("T")


def eventually(check: Callable[[], T], timeout_s: float = WITHIN_S) -> T:
    """What `check` gives, once that is true. Raises: AssertionError: it never was, in `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not (found := check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {found!r} after {timeout_s:g} s: {check}")
        time.sleep(POLL_S)
    return found
