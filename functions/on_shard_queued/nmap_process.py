"""Run one nmap process: an argument list in, a report file and a result out.

No shell, no inherited environment.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cascan.limits import MAX_REPORT_BYTES, MAX_STDERR_CHARS
from cascan.scans.transitions import StopReason

if TYPE_CHECKING:
    from collections.abc import Iterator

# No NMAP_ARGS, NMAPDIR, LUA_PATH, and no AWS credentials
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C"}
TICK_S = 1.0  # between two calls of on_tick
GRACE_S = 5.0  # between SIGTERM and SIGKILL
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class NmapResult:
    """How the process ended. `stopped` is None if it ended by itself."""

    exit_code: int | None  # negative: the signal that ended it; None: it was not started
    stopped: StopReason | None = None
    stderr: str = ""
    error: str = ""  # why it could not be started


OnTick = Callable[[], StopReason | None]  # called every TICK_S while nmap runs; a reason stops nmap


def never_stop() -> None:
    """An OnTick that lets nmap run to its end."""


def run_nmap(
    argv: Sequence[str], folder: Path, report: Path, deadline_s: float, on_tick: OnTick = never_stop
) -> NmapResult:
    """Run `argv` for `deadline_s` seconds at most, and stop it if the report gets too big.

    `folder` gets nmap's stderr and an empty working directory: nmap would load scripts from its
    working directory.
    """
    empty = folder / "empty"
    empty.mkdir(mode=0o700)
    with (folder / "stderr").open("w+b") as stderr:
        process = subprocess.Popen(  # noqa: S603 - our own argument list, without a shell
            argv,
            cwd=empty,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,  # no terminal: nmap would read keys from it
            preexec_fn=_limit_process,  # noqa: PLW1509 - this process has no other thread now
        )
        try:
            stopped = _watch(process, report, time.monotonic() + deadline_s, on_tick)
        finally:
            _stop(process)
        return NmapResult(process.returncode, stopped, _read_stderr(stderr.fileno()))


def _limit_process() -> None:
    """Prepare the child for nmap: it dies with the worker, and its files are limited.

    The kernel drops the death signal if nmap has file capabilities; in that case the container ends
    with its worker.
    """
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_REPORT_BYTES, MAX_REPORT_BYTES))
    os.umask(0o077)


def _watch(
    process: subprocess.Popen[bytes],
    report: Path,
    deadline: float,
    on_tick: OnTick,
) -> StopReason | None:
    """Wait for the end of nmap, or for a reason to stop it."""
    with _exit_of(process) as exited:
        while not exited(min(TICK_S, max(0.0, deadline - time.monotonic()))):
            if time.monotonic() >= deadline:
                return StopReason.TIME_LIMIT
            if reason := on_tick():
                return reason
    exit_code = process.wait()
    is_full = report.exists() and report.stat().st_size >= MAX_REPORT_BYTES
    return StopReason.SIZE if is_full or exit_code == -signal.SIGXFSZ else None


@contextmanager
def _exit_of(process: subprocess.Popen[bytes]) -> Iterator[Callable[[float], bool]]:
    """Wait for the exit without polling: Popen.wait(timeout) sleeps up to 50 ms at a time."""
    pidfd = os.pidfd_open(process.pid)
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    try:
        yield lambda timeout_s: bool(poll.poll(timeout_s * 1000))
    finally:
        os.close(pidfd)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Send SIGTERM, then SIGKILL, to nmap and everything it started."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, signum)
        with _exit_of(process) as exited:
            exited(GRACE_S)
    process.wait()


def _read_stderr(fd: int) -> str:
    """The first MAX_STDERR_CHARS, without control characters.

    Scripts print text from scanned hosts.
    """
    text = os.pread(fd, MAX_STDERR_CHARS, 0).decode("utf-8", "replace")
    return "".join(char for char in text if char.isprintable() or char == "\n").strip()
