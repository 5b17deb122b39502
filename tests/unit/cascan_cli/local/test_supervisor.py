"""The supervisor holds a stack only while its state directory is there."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from cascan_cli.errors import StackBusy, StateGone
from cascan_cli.local import supervisor
from cascan_cli.local.lock import Lock, try_lock, try_shared_lock
from cascan_cli.local.state import Running, StateDir
from cascan_cli.local.supervisor import Order

SINCE = datetime(2026, 1, 31, tzinfo=UTC)
OTHER = Running(42, "2026-02-01T00:00:00Z")


class Emulator:
    """Calls `on_check` each time the supervisor looks after it."""

    def __init__(self, on_check: Callable[[], object]) -> None:
        self.check = on_check
        self.forgot_state = False

    def forget_state(self) -> None:
        self.forgot_state = True


def hold(
    state: StateDir,
    leave: threading.Event,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    keep_s: float | None = None,
) -> None:
    """Run the supervisor's loop with this emulator in place of a real stack."""

    @contextmanager
    def run_machine(_: StateDir, lock: Lock, *__: object) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(emulator=emulator, since=SINCE)
        lock.release()

    lock = try_lock(state.lock)
    assert lock
    monkeypatch.setattr(supervisor, "run_machine", run_machine)
    monkeypatch.setattr(supervisor, "CHECK_S", 0.001)
    supervisor._hold(state, lock, Order(str(state.root), "template.yaml", {}, keep_s), leave)


def test_a_stack_is_held_until_it_is_asked_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state, leave = StateDir(tmp_path / "state"), threading.Event()
    seen: list[Running | None] = []

    def check() -> None:
        seen.append(state.running())
        leave.set()

    emulator = Emulator(check)
    hold(state, leave, emulator, monkeypatch)
    assert [running and running.since for running in seen] == ["2026-01-31T00:00:00Z"]
    assert (state.running(), emulator.forgot_state) == (None, False)


def test_a_stack_of_commands_ends_when_none_uses_it_and_none_can_begin_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, leave = StateDir(tmp_path / "state"), threading.Event()
    use: list[Lock | None] = []
    checks = 0

    def check() -> None:
        nonlocal checks
        checks += 1
        if checks == 1:
            use.append(try_shared_lock(state.use_lock))  # a command
        elif checks == 5:
            assert use[0]
            use[0].release()

    hold(state, leave, Emulator(check), monkeypatch, keep_s=0.0)
    assert checks >= 5
    assert try_shared_lock(state.use_lock) is None


def test_a_stack_of_commands_stays_up_after_local_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state, leave = StateDir(tmp_path / "state"), threading.Event()
    checks = 0

    def check() -> None:
        nonlocal checks
        checks += 1
        running = state.running()
        assert running
        state.write_running(replace(running, keep_s=None))
        if checks == 5:
            leave.set()

    hold(state, leave, Emulator(check), monkeypatch, keep_s=0.0)
    assert checks == 5


def test_a_stack_in_the_foreground_says_when_it_is_up_and_ends_with_a_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = StateDir(tmp_path / "state")
    seen: list[object] = []

    @contextmanager
    def run_machine(_: StateDir, lock: Lock, *__: object) -> Iterator[SimpleNamespace]:
        end = lambda: signal.raise_signal(signal.SIGTERM)  # noqa: E731
        yield SimpleNamespace(emulator=Emulator(end), since=SINCE)
        lock.release()

    monkeypatch.setattr(supervisor, "run_machine", run_machine)
    monkeypatch.setattr(supervisor, "CHECK_S", 0.001)
    monkeypatch.setattr("os.umask", lambda _: 0)
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    handlers = {number: signal.getsignal(number) for number in numbers}
    try:
        supervisor.hold_in_foreground(state, tmp_path, {}, lambda: seen.append(state.running()))
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert seen == [Running(os.getpid(), "2026-01-31T00:00:00Z")]
    assert state.running() is None


def test_a_second_stack_in_the_foreground_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "lock_or_attach", lambda *_: OTHER)
    monkeypatch.setattr(supervisor, "_end_on_signals", threading.Event)
    monkeypatch.setattr("os.umask", lambda _: 0)
    with pytest.raises(StackBusy, match=r"process 42 keeps .* up\. End it first: cascan local down"):
        supervisor.hold_in_foreground(StateDir(tmp_path / "state"), tmp_path, {}, lambda: None)


def delete_directory(state: StateDir) -> None:
    shutil.rmtree(state.root)


def replace_directory(state: StateDir) -> None:
    """Another stack was started in a new directory of the same name."""
    shutil.rmtree(state.root)
    StateDir(state.root).write_running(OTHER)
    state.lock.touch()


def replace_by_a_file(state: StateDir) -> None:
    shutil.rmtree(state.root)
    state.root.touch()


@pytest.mark.parametrize("change", [delete_directory, replace_directory, replace_by_a_file])
def test_a_supervisor_ends_without_saving_when_its_directory_is_gone(
    change: Callable[[StateDir], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, emulator = StateDir(tmp_path / "state"), Emulator(lambda: change(state))
    with pytest.raises(StateGone, match=r"state directory .*/state was deleted"):
        hold(state, threading.Event(), emulator, monkeypatch)
    assert emulator.forgot_state
    if change is replace_directory:
        assert state.running() == OTHER
