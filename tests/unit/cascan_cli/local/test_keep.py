"""How long a stack stays up after a command."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cascan_cli.errors import BadInput
from cascan_cli.local.keep import (
    KEEP_S,
    KEEP_VARIABLE,
    MAX_KEEP_S,
    find_end,
    read_keep_s,
    released_after_use,
    take_if_idle,
)
from cascan_cli.local.lock import try_lock, try_shared_lock
from cascan_cli.local.state import Running, StateDir

LONG_AGO = 1_000_000_000


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    """A state directory whose stack was last used long ago."""
    state = StateDir(tmp_path / "state")
    state.use_lock.touch()
    os.utime(state.use_lock, (LONG_AGO, LONG_AGO))
    return state


@pytest.mark.parametrize(("text", "seconds"), [("", KEEP_S), ("0", 0), (" 2.5 ", 2.5), (str(MAX_KEEP_S), MAX_KEEP_S)])
def test_the_time_is_read_from_the_environment(text: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEEP_VARIABLE, text)
    assert read_keep_s() == seconds


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "3601", "a minute"])
def test_a_time_outside_the_limits_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEEP_VARIABLE, text)
    with pytest.raises(BadInput, match="from 0 to 3600"):
        read_keep_s()


def test_a_stack_without_use_can_be_ended_and_one_in_use_cannot(state: StateDir) -> None:
    use = try_shared_lock(state.use_lock)
    assert use
    assert take_if_idle(state, KEEP_S) is None
    os.utime(state.use_lock, (LONG_AGO, LONG_AGO))
    use.release()
    assert take_if_idle(state, KEEP_S)


def test_each_use_begins_the_time_anew(state: StateDir) -> None:
    use = try_shared_lock(state.use_lock)
    assert use
    with released_after_use(state, use):
        assert try_lock(state.use_lock) is None
    assert take_if_idle(state, KEEP_S) is None


def test_a_clock_that_was_set_back_keeps_no_stack_up_for_ever(state: StateDir) -> None:
    os.utime(state.use_lock, (2**33, 2**33))
    assert take_if_idle(state, KEEP_S)


def test_the_end_is_known_while_no_command_uses_the_stack(state: StateDir) -> None:
    running = Running(1, "2026-01-31T00:00:00Z", 60.0)
    assert find_end(state, running) == datetime.fromtimestamp(LONG_AGO + 60, UTC)
    assert find_end(state, Running(1, running.since)) is None
    assert try_shared_lock(state.use_lock)
    assert find_end(state, running) is None
