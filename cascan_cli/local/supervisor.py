"""The supervisor: the process that holds a stack after `cascan local up`, or after a command.

How it starts and ends. After `local up` the stack stays until `local down`; after another command it
ends when no command has used it for some time (keep.py). With `local up --foreground` the command
itself is the supervisor.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from cascan_cli.errors import CliError, EmulatorFailed, StackBusy, StateGone, StateUnreadable
from cascan_cli.local import state as states
from cascan_cli.local.attach import find_running_stack, lock_or_attach
from cascan_cli.local.keep import take_if_idle
from cascan_cli.local.lock import Lock, hold_lock, is_held
from cascan_cli.local.machine import run_machine
from cascan_cli.local.private import FILE_MODE, PRIVATE_UMASK, open_for_writing

MODULE = "cascan_cli.local.supervisor"
EARLIER_MODULE = "cli.local.supervisor"  # its name before the package was called cascan_cli
FOREGROUND = ("local", "up", "--foreground")  # words of a command that is a supervisor itself
PROC = Path("/proc")
POLL_S = 0.02
CHECK_S = 1.0  # between two checks of the emulator and the state directory
BUSY_TIMEOUT_S = 30.0
KILL_MARGIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Order:
    """The stack to hold. `keep_s`: how long it stays up without use; None: until it is ended."""

    state_dir: str
    template: str
    parameters: Mapping[str, str]
    keep_s: float | None = None


def launch(
    state: states.StateDir,
    template: Path,
    parameters: Mapping[str, str],
    timeout_s: float,
    keep_s: float | None = None,
) -> None:
    """Start a supervisor and wait until its stack is up.

    `keep_s`: how long the stack stays up without use; None: until it is ended.

    Raises: EmulatorFailed: with the supervisor's message.
    """
    log = state.logs / "supervisor.log"
    order = Order(str(state.root), str(template), dict(parameters), keep_s)
    with open_for_writing(log) as sink:
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", MODULE, json.dumps(asdict(order))],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            cwd=Path(__file__).parents[2],
            umask=PRIVATE_UMASK,
            start_new_session=True,  # the terminal may close
        )
    try:
        _wait_until_up(state, process, log, timeout_s)
    except BaseException:
        _end(process)
        raise
    process.returncode = 0  # it outlives this command, which must not wait for it


def _holds_lock(state: states.StateDir) -> bool:
    return is_held(state.lock) or is_held(state.up_lock)


def end(state: states.StateDir, pid: int, timeout_s: float) -> None:
    """End the supervisor and wait until all its processes have ended.

    Raises: StackBusy: not in `timeout_s`.
    """
    if _may_be_supervisor(pid):  # it may have ended, and another process may have its id
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout_s
    while _holds_lock(state) or (PROC.exists() and _may_be_supervisor(pid)):
        if time.monotonic() > deadline:
            problem = f"process {pid} does not end within {timeout_s:.0f} s"
            raise StackBusy(f"{problem}. End it with: kill -9 {pid}")
        time.sleep(POLL_S)


def main(order: str) -> int:
    """Hold the stack until a signal, the end of the emulator or of the state directory.

    The exit code is that of the error.
    """
    parsed = Order(**json.loads(order))
    leave = _end_on_signals()
    try:
        state = states.StateDir(Path(parsed.state_dir))
        lock = lock_or_attach(state, lambda _: None, BUSY_TIMEOUT_S)
        if isinstance(lock, Lock):
            _hold(state, lock, parsed, leave)
    except CliError as exc:
        print(exc, file=sys.stderr)
        return exc.exit_code
    return 0


def hold_in_foreground(
    state: states.StateDir, template: Path, parameters: Mapping[str, str], on_up: Callable[[], None]
) -> None:
    """Hold a stack in this process until a signal. `on_up` is called once it is up.

    Raises: StackBusy: a stack is up, or another command starts one. LocalStackError: it did not start, or it failed.
    """
    leave = _end_on_signals()
    os.umask(PRIVATE_UMASK)
    lock = lock_or_attach(state, lambda _: None, BUSY_TIMEOUT_S)
    if not isinstance(lock, Lock):
        keeper = f"process {lock.pid} keeps the stack of {state.root} up"
        raise StackBusy(f"{keeper}. End it first: cascan local down --state-dir {state.root}")
    _hold(state, lock, Order(str(state.root), str(template), parameters), leave, on_up)


def _end_on_signals() -> threading.Event:
    """An event that a signal sets: the stack is to end, and its state to be saved."""
    leave = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, lambda *_: leave.set())
    return leave


def _hold(
    state: states.StateDir,
    lock: Lock,
    order: Order,
    leave: threading.Event,
    on_up: Callable[[], None] = lambda: None,
) -> None:
    with (
        run_machine(state, lock, Path(order.template), order.parameters) as machine,
        hold_lock(state.up_lock, BUSY_TIMEOUT_S),
    ):
        # up.lock shows other commands that this process lives. It is released before `lock`,
        # so a command that gets `lock` finds both free.
        since = machine.since.isoformat().replace("+00:00", "Z")
        state.use_lock.touch(FILE_MODE)
        state.write_running(states.Running(os.getpid(), since, order.keep_s))
        try:
            on_up()
            while not leave.wait(CHECK_S):
                if not lock.is_at(state.lock):
                    raise StateGone(f"the state directory {state.root} was deleted; its stack ends")
                machine.emulator.check()
                if _is_unused(state):
                    break
        finally:
            if lock.is_at(state.lock):
                state.delete_running()
            else:
                # A new stack may use a new directory of this name: nothing of this one may be
                # written there
                machine.emulator.forget_state()


def _is_unused(state: states.StateDir) -> bool:
    """Whether the stack has not been used for as long as it may stay up. It cannot be used any more then."""
    try:
        running = state.running()
        if running is None or running.keep_s is None:  # `local up` may have made it stay
            return False
        # The lock is not released before this process ends
        return take_if_idle(state, running.keep_s) is not None
    except (StateUnreadable, OSError):  # the directory was deleted, which the next check notices
        return False


def _wait_until_up(
    state: states.StateDir,
    process: subprocess.Popen[bytes],
    log: Path,
    timeout_s: float,
) -> None:
    deadline = time.monotonic() + timeout_s
    while find_running_stack(state) is None:
        if process.poll() is not None:
            message = log.read_text(errors="replace").strip()
            raise EmulatorFailed(message or f"the supervisor ended without a message; see {log}")
        if time.monotonic() > deadline:
            problem = f"the stack is not up after {timeout_s:.0f} s"
            raise EmulatorFailed(f"{problem}; see {log} and {state.logs}")
        time.sleep(POLL_S)


def _may_be_supervisor(pid: int) -> bool:
    """Whether the process runs this module, or holds a stack in the foreground; without /proc, assume so."""
    if not PROC.exists():
        return True
    try:
        arguments = os.fsdecode((PROC / str(pid) / "cmdline").read_bytes()).split("\0")
    except OSError:
        return False
    return MODULE in arguments or EARLIER_MODULE in arguments or set(FOREGROUND) <= set(arguments)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(KILL_MARGIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
