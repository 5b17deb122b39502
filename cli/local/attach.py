"""Who has the state directory: nobody (we take it), a stack that stays up (we use it), a passing command (we wait)."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from cli.errors import StackBusy
from cli.local.lock import Lock, is_alive, is_held, owner, try_lock
from cli.local.state import HOST, Running, StateDir

POLL_S = 0.05
Say = Callable[[str], None]


def lock_or_running(state: StateDir, say: Say, timeout_s: float) -> Lock | Running:
    """The lock of the directory, or the stack that stays up in it.

    Raises: StackBusy: another command held it for `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    told = False
    while True:
        lock = try_lock(state.lock)
        if lock:
            lock.sign()
            state.forget_running()  # left by one that was killed
            return lock
        running = running_stack(state)
        if running:
            return running
        if not told:
            say(f"waiting for {_holder(state)}, which uses {state.root}")
            told = True
        if time.monotonic() > deadline:
            raise StackBusy(
                f"{_holder(state)} uses {state.root} for more than {timeout_s:.0f} s. "
                "Wait for it, end it, or choose another directory with --state-dir"
            )
        time.sleep(POLL_S)


def _holder(state: StateDir) -> str:
    """Who has the lock: the process that signed it, or what that started and did not live to end."""
    pid = owner(state.lock)
    return f"process {pid}" if pid is None or is_alive(pid) else f"what process {pid}, which was killed, had started"


def running_stack(state: StateDir) -> Running | None:
    """The stack that stays up; None: there is none, whatever a killed one left behind."""
    running = state.running()
    return running if running and is_held(state.up_lock) and _listens(state.port()) else None


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((HOST, port)) == 0
