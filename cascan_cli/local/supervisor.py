"""A stack that stays up: the process behind `cascan local up`, and how it is started and ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from cascan_cli.errors import CliError, EmulatorFailed, StackBusy
from cascan_cli.local import state as states
from cascan_cli.local.attach import find_running_stack, lock_or_attach
from cascan_cli.local.lock import Lock, hold_lock, is_held
from cascan_cli.local.machine import run_machine
from cascan_cli.local.private import PRIVATE_UMASK, open_for_writing

MODULE = "cascan_cli.local.supervisor"
EARLIER_MODULE = "cli.local.supervisor"  # as it was called before the command's package was cascan_cli
PROC = Path("/proc")
POLL_S = 0.02
LOOK_S = 1.0
BUSY_TIMEOUT_S = 30.0
KILL_MARGIN_S = 5.0


def launch(state: states.StateDir, template: Path, parameters: Mapping[str, str], timeout_s: float) -> None:
    """Start a supervisor and wait until its stack is up. Raises: EmulatorFailed: with the supervisor's own reason."""
    log = state.logs / "supervisor.log"
    order = {"state_dir": str(state.root), "template": str(template), "parameters": dict(parameters)}
    with open_for_writing(log) as sink:
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", MODULE, json.dumps(order)],
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
    process.returncode = 0  # it lives on without us: nobody here will collect it


def end(state: states.StateDir, pid: int, timeout_s: float) -> None:
    """End the supervisor and wait until nothing of its stack is left. Raises: StackBusy: not in time."""
    if _may_be_supervisor(pid):  # it may have been killed this moment, and its number given to somebody else
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout_s
    while is_held(state.lock) or is_held(state.up_lock) or (PROC.exists() and _may_be_supervisor(pid)):
        if time.monotonic() > deadline:
            raise StackBusy(f"process {pid} does not end within {timeout_s:.0f} s. End it with: kill -9 {pid}")
        time.sleep(POLL_S)


def main(order: str) -> int:
    """Hold the stack until SIGTERM, SIGINT or the end of the emulator. The exit code is that of the error."""
    told = json.loads(order)
    leave = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: leave.set())
    try:
        state = states.StateDir(Path(told["state_dir"]))
        found = lock_or_attach(state, lambda _: None, BUSY_TIMEOUT_S)
        if isinstance(found, Lock):
            _hold(state, found, Path(told["template"]), told["parameters"], leave)
    except CliError as exc:
        print(exc, file=sys.stderr)
        return exc.exit_code
    return 0


def _hold(
    state: states.StateDir, lock: Lock, template: Path, parameters: Mapping[str, str], leave: threading.Event
) -> None:
    with run_machine(state, lock, template, parameters) as machine, hold_lock(state.up_lock, BUSY_TIMEOUT_S):
        # Others know by up.lock that this process lives. It is given back before `lock`: whoever gets that finds both.
        state.write_running(states.Running(os.getpid(), machine.since.isoformat().replace("+00:00", "Z")))
        try:
            while not leave.wait(LOOK_S):
                machine.emulator.check()
        finally:
            state.delete_running()


def _wait_until_up(state: states.StateDir, process: subprocess.Popen[bytes], log: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while find_running_stack(state) is None:
        if process.poll() is not None:
            raise EmulatorFailed(log.read_text(errors="replace").strip() or f"it ended without a word, see {log}")
        if time.monotonic() > deadline:
            raise EmulatorFailed(f"the stack is not up after {timeout_s:.0f} s; see {log} and {state.logs}")
        time.sleep(POLL_S)


def _may_be_supervisor(pid: int) -> bool:
    """The process runs this module, as far as /proc tells; where there is none, its number has to do."""
    if not PROC.exists():
        return True
    try:
        words = os.fsdecode((PROC / str(pid) / "cmdline").read_bytes()).split("\0")
    except OSError:
        return False
    return MODULE in words or EARLIER_MODULE in words


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(KILL_MARGIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
