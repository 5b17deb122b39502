"""Lock the state directory, attach to the stack that stays up in it, or wait."""

from __future__ import annotations

import time
from collections.abc import Callable

from cascan_cli.errors import StackBusy, StackUnguarded
from cascan_cli.local.endpoint import Listener
from cascan_cli.local.lock import Lock, is_alive, is_held, read_owner, try_lock
from cascan_cli.local.state import Running, StateDir

POLL_S = 0.05
PrintMessage = Callable[[str], None]


def lock_or_attach(
    state: StateDir,
    print_message: PrintMessage,
    timeout_s: float,
) -> Lock | Running:
    """The lock of the directory, or the stack that stays up in it.

    Raises: StackBusy: another command holds it for `timeout_s`. StackUnguarded: see
    find_running_stack.
    """
    deadline = time.monotonic() + timeout_s
    announced = False
    while True:
        lock = try_lock(state.lock)
        if lock:
            lock.sign()
            state.delete_running()  # from a supervisor that was killed
            return lock
        running = find_running_stack(state)
        if running:
            return running
        if not announced:
            print_message(f"waiting for {_holder(state)}, which uses {state.root}")
            announced = True
        if time.monotonic() > deadline:
            raise StackBusy(
                f"{_holder(state)} uses {state.root} for more than {timeout_s:.0f} s. "
                "Wait for it, end it, or choose another directory with --state-dir"
            )
        time.sleep(POLL_S)


def _holder(state: StateDir) -> str:
    """The holder of the lock: the process that signed it, or processes that it has left."""
    pid = read_owner(state.lock)
    if pid is None or is_alive(pid):
        return f"process {pid}"
    return f"what process {pid}, which was killed, had started"


def find_running_stack(state: StateDir) -> Running | None:
    """The stack that stays up; None: there is none.

    Raises: StackUnguarded: an earlier version of cascan started it.
    """
    running = find_supervisor(state)
    if running is None:
        return None
    listener = state.endpoint().listener()
    if listener is Listener.SOMEBODY:
        raise StackUnguarded(
            f"the stack that process {running.pid} keeps up in {state.root} does not know its secret: "
            "an earlier version of cascan started it, and it answers every user of this machine. "
            "Start it again, with everything it holds: cascan local up"
        )
    return running if listener is Listener.GUARD else None


def find_supervisor(state: StateDir) -> Running | None:
    """The process that holds a stack that stays up, or None. Its port is not checked."""
    running = state.running()
    return running if running and is_held(state.up_lock) else None
