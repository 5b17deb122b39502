"""The keeper of a process: it ends with everything it started, whoever dies first, and in which order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from cascan_cli.local.lock import is_held, try_lock, try_shared_lock
from cascan_cli.local.process import Process
from tests.support.waiting import WITHIN_S, eventually

ROOT = Path(__file__).parents[4]
LONG_S = 300.0
ORPHAN_S = 0.3
WAITS = "import os, pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(300)"
IGNORES = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {WAITS}"
HOLDS = """
import sys, time
from pathlib import Path
from cascan_cli.local.process import Process
folder = Path(sys.argv[1])
process = Process([sys.executable, "-c", sys.argv[2], str(folder / "pid")], {}, folder=folder, log=folder / "log",
                  grace_s=300.0, orphan_grace_s=0.3, status_file=folder / "status")
while not (folder / "pid").exists():
    time.sleep(0.02)
if "stop" in sys.argv:
    process.ask_to_stop()
print("started", flush=True)
time.sleep(300)
"""


@contextmanager
def holder(folder: Path, program: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that keeps `program`, which has written its process id to `pid`."""
    argv = [sys.executable, "-c", HOLDS, str(folder), program, *words]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout
        assert process.stdout.readline() == b"started\n"
        try:
            yield process
        finally:
            process.kill()


def pid_in(folder: Path) -> int:
    def written() -> int:
        with suppress(FileNotFoundError, ValueError):
            return int((folder / "pid").read_text())
        return 0

    return eventually(written)


def text_of(file: Path) -> str:
    """What the file holds; empty before it is there."""
    return file.read_text() if file.exists() else ""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def keeper_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.parametrize("asked_before", [[], ["stop"]])
def test_a_command_whose_asker_was_killed_has_seconds_whatever_its_grace(
    tmp_path: Path, asked_before: list[str]
) -> None:
    with holder(tmp_path, IGNORES, *asked_before) as asker:
        pid = pid_in(tmp_path)
        asker.kill()
        asker.wait()
        assert ORPHAN_S < WITHIN_S < LONG_S  # which tells the two apart
        eventually(lambda: not is_alive(pid))
    assert eventually(lambda: text_of(tmp_path / "status")) == str(128 + signal.SIGKILL)


def test_a_command_dies_with_its_keeper(tmp_path: Path) -> None:
    with holder(tmp_path, WAITS):
        pid = pid_in(tmp_path)
        os.kill(keeper_of(pid), signal.SIGKILL)
        eventually(lambda: not is_alive(pid))
    assert not (tmp_path / "status").exists()


def test_a_keeper_that_was_killed_is_an_exit_code_for_its_asker(tmp_path: Path) -> None:
    process = kept(tmp_path, WAITS)
    os.kill(process.pid, signal.SIGKILL)
    assert eventually(process.exit_code) == -signal.SIGKILL
    process.ask_to_stop()  # to nobody
    assert process.stop() == -signal.SIGKILL


def test_a_stop_waits_until_nobody_holds_the_lock_it_comes_after(tmp_path: Path) -> None:
    tasks = tmp_path / "tasks.lock"
    held = try_shared_lock(tasks)
    assert held
    process = kept(tmp_path, WAITS, after=tasks)
    pid = pid_in(tmp_path)
    process.ask_to_stop()
    assert is_alive(pid)
    assert process.exit_code() is None
    held.release()
    assert process.stop() == 128 + signal.SIGTERM


def test_a_stop_does_not_wait_for_ever(tmp_path: Path) -> None:
    tasks = tmp_path / "tasks.lock"
    held = try_shared_lock(tasks)
    assert held
    process = kept(tmp_path, WAITS, after=tasks, orphan_grace_s=ORPHAN_S)
    pid_in(tmp_path)
    assert process.stop(within_s=WITHIN_S) == 128 + signal.SIGTERM
    held.release()


def test_a_command_that_is_killed_gets_no_sigterm_before(tmp_path: Path) -> None:
    process = kept(tmp_path, WAITS)
    pid_in(tmp_path)
    process.kill()
    assert process.stop() == 128 + signal.SIGKILL


def test_a_lock_stays_held_until_the_keeper_is_gone(tmp_path: Path) -> None:
    lock = try_lock(tmp_path / "lock")
    assert lock
    process = kept(tmp_path, WAITS, lock_fds=(lock.fd,))
    pid_in(tmp_path)
    lock.release()
    assert is_held(tmp_path / "lock")
    process.stop()
    assert not is_held(tmp_path / "lock")


def test_a_shared_lock_is_held_for_those_who_want_it_alone(tmp_path: Path) -> None:
    first, second = try_shared_lock(tmp_path / "lock"), try_shared_lock(tmp_path / "lock")
    assert first
    assert second
    first.release()
    assert is_held(tmp_path / "lock")
    second.release()
    assert not is_held(tmp_path / "lock")


def kept(
    folder: Path,
    program: str,
    *,
    after: Path | None = None,
    lock_fds: tuple[int, ...] = (),
    orphan_grace_s: float = LONG_S,
) -> Process:
    return Process(
        [sys.executable, "-c", program, str(folder / "pid")],
        {},
        folder=folder,
        log=folder / "log",
        grace_s=LONG_S,
        orphan_grace_s=orphan_grace_s,
        status_file=folder / "status",
        after=after,
        lock_fds=lock_fds,
    )
