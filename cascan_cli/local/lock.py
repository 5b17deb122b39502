"""A lock for one stack per state directory.

The kernel releases it when every process that holds it has ended.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cascan_cli.errors import StackBusy

POLL_S = 0.05


class Lock:
    """A held lock. The emulator's keeper inherits its descriptor, so that after a killed command
    the directory stays locked until the emulator has ended as well.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def sign(self) -> None:
        """Write our process id into the file, for `read_owner`."""
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, str(os.getpid()).encode(), 0)

    def is_at(self, path: Path) -> bool:
        """Whether the path still names the locked file; not after it was deleted or replaced."""
        try:
            return os.path.samestat(os.fstat(self.fd), path.stat())
        except (FileNotFoundError, NotADirectoryError):
            return False

    def release(self) -> None:
        os.close(self.fd)


def try_lock(path: Path, kind: int = fcntl.LOCK_EX) -> Lock | None:
    """The lock; None: another process holds it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return Lock(fd)


def try_shared_lock(path: Path) -> Lock | None:
    """The lock, shared with other processes; None: a process holds it exclusively."""
    return try_lock(path, fcntl.LOCK_SH)


def read_owner(path: Path) -> int | None:
    """The process that signed the lock last."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def is_alive(pid: int) -> bool:
    """Whether a process with this id exists, of any user."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def is_held(path: Path) -> bool:
    lock = try_lock(path)
    if lock is None:
        return True
    lock.release()
    return False


@contextmanager
def hold_lock(path: Path, timeout_s: float) -> Iterator[None]:
    """Hold the lock during the block.

    Raises: StackBusy: another process holds it for `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while (lock := try_lock(path)) is None:
        if time.monotonic() > deadline:
            raise StackBusy(f"another process holds {path} for more than {timeout_s:.0f} s")
        time.sleep(POLL_S)
    try:
        yield
    finally:
        lock.release()
