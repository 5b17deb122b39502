"""Keeps one command, and ends it with everything it started: when asked, or when whoever asked for it is gone.

    python -I -S keeper.py GRACE_S STATUS_FILE AFTER_FILE COMMAND...

The asker holds our standard input open. It writes STOP there, or sends SIGTERM, to stop the command: that gets SIGTERM,
then GRACE_S to end, then SIGKILL; a second request kills at once. Standard input that closes without STOP means that
the asker was killed: the command then gets ORPHAN_GRACE_S at most, since nobody is left to wait for it. Whatever the
command leaves behind is killed, also what moved to a session of its own. The command's exit code is ours, and is
written to STATUS_FILE. AFTER_FILE: the command is asked to stop only once nobody holds a lock on this file, or after
ORPHAN_GRACE_S. Either file may be "-": none.

Runs by itself, on the standard library alone: it starts in 15 ms, and stays.
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
STOP = b"stop"
NONE = "-"
ORPHAN_GRACE_S = 5.0  # the next command waits for this; a worker stops nmap and gives its shard back in one or two
POLL_S = 0.05


def main(arguments: Sequence[str]) -> int:
    grace_s, status_file, after_file, *command = arguments
    wake = _signal_pipe()
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    child = _start(command)
    code = _Kept(child, float(grace_s), after_file).wait(wake)
    _kill_group(child)
    _end_orphans()
    if status_file != NONE:
        with contextlib.suppress(OSError):  # the state directory may have been deleted
            Path(status_file).write_text(str(code))
    return code


class _Kept:
    """The command while it runs."""

    def __init__(self, pid: int, grace_s: float, after_file: str) -> None:
        self.pid = pid
        self.grace_s = grace_s
        self.after_file = after_file
        self.stop_at: float | None = None  # set once it is to stop: the latest moment to ask it
        self.kill_at: float | None = None  # set once it was asked

    def wait(self, wake: int) -> int:
        watched = [STDIN, wake]
        while (code := _reap(self.pid)) is None:
            ready, _, _ = select.select(watched, [], [], self._patience())
            if STDIN in ready:
                words = os.read(STDIN, 4096)
                if not words:
                    watched = [wake]
                self.stop(orphaned=not words)
            if wake in ready and any(number in STOP_SIGNALS for number in os.read(wake, 64)):
                self.stop()
            self._proceed()
        return code

    def stop(self, *, orphaned: bool = False) -> None:
        """Stop it soon; at once when asked a second time. `orphaned`: nobody waits for it any more, which asks once."""
        now = time.monotonic()
        if orphaned:
            self.grace_s = min(self.grace_s, ORPHAN_GRACE_S)
            self.stop_at = self.stop_at or now + ORPHAN_GRACE_S
            self.kill_at = self.kill_at and min(self.kill_at, now + self.grace_s)
        elif self.stop_at is None:
            self.stop_at = now + ORPHAN_GRACE_S
        else:
            self.stop_at = self.kill_at = now

    def _proceed(self) -> None:
        now = time.monotonic()
        if self.stop_at is None:
            return
        if self.kill_at is None and (now >= self.stop_at or not _is_locked(self.after_file)):
            self.kill_at = now + self.grace_s
            os.kill(self.pid, signal.SIGTERM)
        if self.kill_at is not None and now >= self.kill_at:
            _kill_group(self.pid)

    def _patience(self) -> float | None:
        if self.stop_at is None:
            return None
        if self.kill_at is None:
            return POLL_S
        return max(POLL_S, self.kill_at - time.monotonic())


def _is_locked(path: str) -> bool:
    """Somebody holds a lock on the file."""
    if path == NONE:
        return False
    try:
        with Path(path).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there is no such file, for one
        return False
    return False


def _signal_pipe() -> int:
    """A descriptor on which each signal we get appears as one byte, its number."""
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
        os.closerange(3, 256)  # the lock is ours to hold, not the command's
        os.execvp(command[0], command)  # noqa: S606 - no shell is the point
    except OSError as exc:
        os.write(2, f"{command[0]} cannot be started: {exc.strerror}\n".encode())
    finally:
        os._exit(NOT_STARTED)


def _reap(child: int) -> int | None:
    """Collect every process that ended; the exit code of `child` once it did, 128 + n when signal n ended it."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == child:
            ended = os.waitstatus_to_exitcode(status)
            code = ended if ended >= 0 else 128 - ended


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _end_orphans() -> None:
    """Kill what was left to us, until nothing is: orphans of orphans come to us as well."""
    while True:
        for pid in _children():
            os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    """Our direct children; empty where there is no Linux /proc, and then nobody is adopted either."""
    try:
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except OSError:
        return []


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
