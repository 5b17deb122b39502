"""How long the stack stays up after the last command that used it.

Each command that uses a running stack holds a shared lock on `use.lock`, and touches that file at
its end. The supervisor ends the stack when the file is older than the stack's `keep_s` and the
exclusive lock is free. It holds that lock until it has ended, so no command begins to use a stack
that ends.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from cascan_cli.errors import BadInput
from cascan_cli.local.lock import Lock, is_held, try_lock
from cascan_cli.local.state import Running, StateDir

KEEP_VARIABLE = "CASCAN_LOCAL_KEEP"
KEEP_S = 60.0
MAX_KEEP_S = 3_600.0  # a stack that is to stay for longer is started by `cascan local up`


def read_keep_s() -> float:
    """The seconds from the environment, or KEEP_S. 0: each stack ends with its command.

    Raises: BadInput: the variable is no number of seconds in the limits.
    """
    text = os.environ.get(KEEP_VARIABLE, "").strip()
    if not text:
        return KEEP_S
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MAX_KEEP_S:
        raise BadInput(
            f"{KEEP_VARIABLE}={text[:20]!r}: it must be a number of seconds from 0 to {MAX_KEEP_S:.0f}, "
            "for which the local stack stays up after a command"
        )
    return seconds


@contextmanager
def released_after_use(state: StateDir, use: Lock) -> Iterator[None]:
    """Release the lock after the block, and record the time of the use."""
    try:
        yield
    finally:
        record_use(state)
        use.release()


def record_use(state: StateDir) -> None:
    if state.use_lock.exists():
        os.utime(state.use_lock)


def take_if_idle(state: StateDir, keep_s: float) -> Lock | None:
    """The exclusive lock, if no command has used the stack for `keep_s`; None: it stays up."""
    if _idle_s(state) < keep_s:
        return None
    lock = try_lock(state.use_lock)
    if lock is None:
        record_use(state)
    return lock


def find_end(state: StateDir, running: Running) -> datetime | None:
    """When the stack ends unless a command uses it. None: it stays up, or a command uses it now."""
    if running.keep_s is None or is_held(state.use_lock):
        return None
    return datetime.fromtimestamp(state.use_lock.stat().st_mtime + running.keep_s, UTC)


def _idle_s(state: StateDir) -> float:
    """Seconds since the last use; of a use in the future, the seconds until then: the clock was changed."""
    return abs(time.time() - state.use_lock.stat().st_mtime)
