"""Whose stack is up: ours is used, one without a guard is not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cascan_cli.errors import StackUnguarded
from cascan_cli.local.attach import find_running_stack, find_supervisor, lock_or_attach
from cascan_cli.local.lock import try_lock
from cascan_cli.local.state import Running, StateDir
from tests.unit.cascan_cli.local.test_endpoint import SECRET, somebody

RUNNING = Running(os.getpid(), "2026-01-31T00:00:00Z")


@contextmanager
def kept(folder: Path, knows: str) -> Iterator[StateDir]:
    """A state directory whose stack is kept up, with somebody on its port who knows this."""
    state = StateDir(folder)
    (folder / "secret").write_text(SECRET)
    with somebody(knows) as (endpoint, _):
        (folder / "machine.json").write_text(f'{{"port": {endpoint.port}}}')
        state.write_running(RUNNING)
        locks = [try_lock(path) for path in (state.lock, state.up_lock)]
        try:
            yield state
        finally:
            for lock in locks:
                assert lock
                lock.release()


def test_a_stack_that_knows_its_secret_is_used(tmp_path: Path) -> None:
    with kept(tmp_path, SECRET) as state:
        assert find_running_stack(state) == RUNNING


def test_a_stack_of_an_earlier_version_is_named_with_the_way_out(tmp_path: Path) -> None:
    with kept(tmp_path, "nothing") as state:
        with pytest.raises(StackUnguarded, match=rf"process {os.getpid()} .* cascan local up"):
            lock_or_attach(state, lambda _: None, timeout_s=0)
        assert find_supervisor(state) == RUNNING  # so that it can be ended


def test_what_a_killed_stack_left_behind_is_no_stack(tmp_path: Path) -> None:
    with kept(tmp_path, SECRET) as state:
        pass
    state.write_running(RUNNING)
    assert (find_running_stack(state), find_supervisor(state)) == (None, None)
