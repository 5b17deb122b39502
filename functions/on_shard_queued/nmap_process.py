"""One nmap process: an argument list in, a report file and what the run did out. No shell, nothing inherited."""

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

if TYPE_CHECKING:
    from collections.abc import Iterator

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C"}  # no NMAP_ARGS, NMAPDIR, LUA_PATH, and no AWS credentials
TICK_S = 1.0  # how often the caller hears that nmap lives, and may stop it
GRACE_S = 5.0  # between SIGTERM and SIGKILL
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class NmapResult:
    """How the process ended. `stopped` is empty unless we stopped it: "deadline", "size" or what the caller said."""

    exit_code: int | None  # negative: the signal that ended it; None: it was not started
    stopped: str = ""
    stderr: str = ""
    error: str = ""  # why it could not be started


OnTick = Callable[[], str]  # called every TICK_S while nmap lives; a non-empty answer stops it, and says why


def run_nmap(argv: Sequence[str], folder: Path, report: Path, deadline_s: float, on_tick: OnTick = str) -> NmapResult:
    """Run `argv` to its end, or for `deadline_s` seconds at most, or until its report fills MAX_REPORT_BYTES.

    `folder` gets an empty working directory (nmap loads scripts from its own) and nmap's stderr.
    """
    empty = folder / "empty"
    empty.mkdir(mode=0o700)
    with (folder / "stderr").open("w+b") as stderr:
        process = subprocess.Popen(  # noqa: S603 - an argument list of ours, and no shell
            argv,
            cwd=empty,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,  # no terminal: nmap would read keys from it
            preexec_fn=_bounded,  # noqa: PLW1509 - no thread of ours runs beside it
        )
        try:
            stopped = _watch(process, report, time.monotonic() + deadline_s, on_tick)
        finally:
            _stop(process)
        return NmapResult(process.returncode, stopped, _head(stderr.fileno()))


def _bounded() -> None:
    """In the child, before nmap: die with the worker, write no endless file, keep the report private.

    The kernel forgets the first where nmap has file capabilities; there the container ends with its worker.
    """
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_REPORT_BYTES, MAX_REPORT_BYTES))
    os.umask(0o077)


def _watch(process: subprocess.Popen[bytes], report: Path, deadline: float, on_tick: OnTick) -> str:
    with _exit_of(process) as exited:
        while not exited(min(TICK_S, max(0.0, deadline - time.monotonic()))):
            if time.monotonic() >= deadline:
                return "deadline"
            if why := on_tick():
                return why
    full = process.wait() == -signal.SIGXFSZ or (report.exists() and report.stat().st_size >= MAX_REPORT_BYTES)
    return "size" if full else ""


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
    """SIGTERM, then SIGKILL, to nmap and whatever it started."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, sent)
        with _exit_of(process) as exited:
            exited(GRACE_S)
    process.wait()


def _head(stderr: int) -> str:
    """The first MAX_STDERR_CHARS of what nmap said; text of scanned hosts may stand in it, so control characters go."""
    said = os.pread(stderr, MAX_STDERR_CHARS, 0).decode("utf-8", "replace")
    return "".join(c for c in said if c.isprintable() or c == "\n").strip()
