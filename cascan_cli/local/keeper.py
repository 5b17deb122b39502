"""Run one command, and end it with all its descendants.

They end on request, or when the process that asked for the command has ended.

    python -I -S keeper.py GRACE_S ORPHAN_GRACE_S STATUS_FILE AFTER_FILE COMMAND...

The parent holds our standard input open. To stop the command it writes STOP there, or sends
SIGTERM. The command gets SIGTERM, GRACE_S seconds to end, and then SIGKILL. A second request, or
KILL, kills it at once. If standard input is closed without STOP, the parent was killed: the command
gets ORPHAN_GRACE_S at most. Descendants that outlive the command are killed, even in a session of
their own. We exit with the command's exit code, and write it to STATUS_FILE. With an AFTER_FILE,
the command gets SIGTERM only when no process holds a lock on that file, or ORPHAN_GRACE_S after the
request. "-" stands for no file.

This script needs only the standard library: it starts in 15 ms, and runs as long as the command.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
NOT_STARTED = 127
STDIN = 0
STOP, KILL = b"stop", b"kill"
NONE = "-"
POLL_S = 0.05


def main(arguments: Sequence[str]) -> int:
    grace_s, orphan_grace_s, status_file, after_file, *command = arguments
    signals = _open_signal_pipe()
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    child = _start(command)
    code = _Command(child, float(grace_s), float(orphan_grace_s), after_file).wait(signals)
    _kill_group(child)
    _kill_orphans()
    if status_file != NONE:
        with contextlib.suppress(OSError):  # the state directory may have been deleted
            Path(status_file).write_text(str(code))
    return code


class _Command:
    """The running command, and when it is to be stopped."""

    def __init__(self, pid: int, grace_s: float, orphan_grace_s: float, after_file: str) -> None:
        self.pid = pid
        self.grace_s = grace_s
        self.orphan_grace_s = orphan_grace_s
        self.after_file = after_file
        self.stop_at: float | None = None  # set by the first request: the latest time of SIGTERM
        self.kill_at: float | None = None  # set after SIGTERM: the time of SIGKILL

    def wait(self, signals: int) -> int:
        """Handle requests until the command has ended; its exit code."""
        inputs = [STDIN, signals]
        while (code := _reap(self.pid)) is None:
            ready, _, _ = select.select(inputs, [], [], self._seconds_to_next_step())
            if STDIN in ready:
                request = os.read(STDIN, 4096)
                if KILL in request:
                    self.kill_now()
                elif request:
                    self.request_stop()
                else:
                    inputs = [signals]
                    self.hurry_as_orphan()
            if signals in ready and any(number in STOP_SIGNALS for number in os.read(signals, 64)):
                self.request_stop()
            self._signal_if_due()
        return code

    def request_stop(self) -> None:
        """Stop the command; the second request kills it at once."""
        now = time.monotonic()
        if self.stop_at is None:
            self.stop_at = now + self.orphan_grace_s
        else:
            self.kill_now()

    def kill_now(self) -> None:
        """Kill the command. It gets no SIGTERM, on which it might save what must not be saved."""
        self.stop_at = self.kill_at = time.monotonic()

    def hurry_as_orphan(self) -> None:
        """Stop the command, and shorten its grace: no process waits for it any more."""
        now = time.monotonic()
        self.grace_s = min(self.grace_s, self.orphan_grace_s)
        self.stop_at = self.stop_at or now + self.orphan_grace_s
        self.kill_at = self.kill_at and min(self.kill_at, now + self.grace_s)

    def _signal_if_due(self) -> None:
        now = time.monotonic()
        if self.stop_at is None:
            return
        if self.kill_at is None and (now >= self.stop_at or not _is_locked(self.after_file)):
            self.kill_at = now + self.grace_s
            os.kill(self.pid, signal.SIGTERM)
        if self.kill_at is not None and now >= self.kill_at:
            _kill_group(self.pid)

    def _seconds_to_next_step(self) -> float | None:
        """The timeout of the next select; None: there is nothing to do before a request."""
        if self.stop_at is None:
            return None
        if self.kill_at is None:
            return POLL_S
        return max(POLL_S, self.kill_at - time.monotonic())


def _is_locked(path: str) -> bool:
    """Whether a process holds a lock on the file."""
    if path == NONE:
        return False
    try:
        with Path(path).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # most often: there is no such file
        return False
    return False


def _open_signal_pipe() -> int:
    """A descriptor from which the number of each signal that we get can be read, one byte each."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (*STOP_SIGNALS, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    return reading


def _start(command: list[str]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, STDIN)
        os.closerange(3, 256)  # only this process holds the lock
        os.execvp(command[0], command)  # noqa: S606 - without a shell on purpose
    except OSError as exc:
        os.write(2, f"{command[0]} cannot be started: {exc.strerror}\n".encode())
    finally:
        os._exit(NOT_STARTED)


def _reap(child: int) -> int | None:
    """Collect the processes that have ended.

    The exit code of `child` if it has: 128 + n if signal n ended it.
    """
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == child:
            exit_code = os.waitstatus_to_exitcode(status)
            code = exit_code if exit_code >= 0 else 128 - exit_code


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _kill_orphans() -> None:
    """Kill all our children until none is left.

    The kernel makes the orphans of a killed child our children as well.
    """
    while True:
        for pid in _children():
            os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    """Our direct children; empty without a Linux /proc, where we adopt no orphans either."""
    try:
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
        return [int(pid) for pid in children.split()]
    except OSError:
        return []


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
