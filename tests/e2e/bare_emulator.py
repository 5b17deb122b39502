"""The emulator as it is without its guard: what the tests of the guard show to be open."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cascan_cli.local.emulator import HEALTH_PATH, emulator_environment
from cascan_cli.local.process import Process
from cascan_cli.local.state import StateDir
from tests.e2e.intruder import ask
from tests.support.waiting import eventually


@contextmanager
def bare_emulator(folder: Path) -> Iterator[int]:
    """Its port."""
    state = StateDir(folder)
    command = [sys.executable, "-m", "ministack"]
    process = Process(
        command, emulator_environment(state), folder=state.tmp, log=state.logs / "emulator.log", grace_s=5
    )
    try:
        eventually(lambda: process.exit_code() is not None or _is_up(state.port()))
        assert process.exit_code() is None, (state.logs / "emulator.log").read_text()
        yield state.port()
    finally:
        process.stop()


def _is_up(port: int) -> bool:
    try:
        return ask(port, ("GET", HEALTH_PATH, {}, ""), {}) == 200
    except OSError:
        return False
