"""Any process of ours is killed at any moment, and the next two scans complete; what was interrupted completes, too.

A scan on the local stack consists of the command (or the supervisor behind `cascan local up`), which holds the stack
and runs the task agent; the emulator and its functions; workers and nmap; and the keepers that end them. Each seed
kills one kind of them after a while.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from cascan_cli.local.emulator import GUARD
from cascan_cli.local.lock import is_held
from cascan_cli.local.state import StateDir
from tests.e2e.cascan_command import ROOT
from tests.e2e.test_kills import Stack, kill
from tests.support.soak import share
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e

SLOW = ("-n", "-Pn", "--scan-delay", "300ms", "--max-retries", "0", "-p", "1-20")  # to a worker, and for seconds
QUICK = ("-n", "-Pn", "--scan-delay", "50ms", "--max-retries", "0", "-p", "1-5")
WITHIN_S = 240
LONGEST_DELAY_S = 8.0

Pids = Callable[[Stack], list[int]]


def keepers(stack: Stack, of: str) -> list[int]:
    return stack.pids(lambda words: any(word.endswith("keeper.py") for word in words) and of in words)


KINDS: dict[str, Pids] = {
    "holder": lambda stack: stack.pids(lambda words: "scan" in words or "cascan_cli.local.supervisor" in words),
    "emulator": lambda stack: stack.emulators(),
    "keeper of the emulator": lambda stack: keepers(stack, str(GUARD)),
    "worker": lambda stack: stack.workers(),
    "keeper of a worker": lambda stack: keepers(stack, "on_shard_queued.worker"),
    "nmap": lambda stack: stack.nmaps(),
    "functions": lambda stack: stack.lambdas(),
    "fork server": lambda stack: stack.fork_servers(),
    "everything": lambda stack: stack.pids(lambda _: True),
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    command = Stack(tmp_path_factory.mktemp("any"))
    yield command
    command("local down")


@contextmanager
def scanning(stack: Stack) -> Iterator[subprocess.Popen[bytes]]:
    """A command that scans for a while, as somebody types it."""
    argv = [
        sys.executable,
        "-m",
        "cascan_cli.main",
        "scan",
        "127.0.7.0/30",
        "--state-dir",
        str(stack.state_dir),
        "--",
        *SLOW,
    ]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(argv, cwd=ROOT, env=environment, **quiet) as command:  # type: ignore[call-overload]
        try:
            yield command
        finally:
            command.kill()


def two_more_scans_complete(stack: Stack, what: str = "a kill") -> None:
    for number in range(2):
        ran = stack("scan", "127.0.8.1", "--timeout", str(WITHIN_S), "--json", nmap=QUICK)
        assert ran.code == 0, f"{what}: scan {number + 1} after it: {ran.err}"
        assert ran.json["scan"]["outcome"] == "complete", what


def nothing_is_left(stack: Stack) -> bool:
    return not stack.pids(lambda _: True) and not is_held(StateDir(stack.state_dir).lock)


@pytest.mark.soak
@pytest.mark.parametrize("up", [False, True][: share(1, 2)], ids=["for one command", "up"][: share(1, 2)])
def test_the_holder_is_killed_twice_while_a_worker_runs_and_every_scan_completes(stack: Stack, up: bool) -> None:
    before = len(stack("scans", "--json").json)
    for _ in range(2):
        if up:
            assert stack("local up").code == 0
        with scanning(stack):
            stack.scanning()
            assert kill(KINDS["holder"](stack))
            eventually(lambda: nothing_is_left(stack))
    two_more_scans_complete(stack)

    assert stack("local up").code == 0
    eventually(lambda: all(scan["state"] == "Done" for scan in newest(stack, before)) or stack.tick(), WITHIN_S)
    assert {scan["outcome"] for scan in newest(stack, before)} == {"complete"}
    stack("local down")


def newest(stack: Stack, before: int) -> list[dict[str, str]]:
    scans: list[dict[str, str]] = stack("scans", "--json").json
    assert len(scans) == before + 4
    return scans[:4]


def test_a_stack_is_up_again_at_once_after_the_kill_of_its_emulator(stack: Stack) -> None:
    assert stack("local up").code == 0
    assert kill(stack.emulators())
    up = stack("local up")  # while its supervisor ends
    assert up.code == 0, up.err
    two_more_scans_complete(stack)
    assert stack("local down").code == 0


@pytest.mark.soak(few=1, many=64, at_once=1)
def test_any_process_is_killed_at_any_moment_and_two_more_scans_complete(stack: Stack, seeds: range) -> None:
    for seed in seeds:
        chance = random.Random(seed)  # noqa: S311 - it is to be the same in every run
        kind, up, delay_s = chance.choice(sorted(KINDS)), chance.random() < 0.5, chance.uniform(0, LONGEST_DELAY_S)
        what = f"seed {seed}: {kind}, {'up' if up else 'for one command'}, after {delay_s:.1f} s"
        if up:
            assert stack("local up").code == 0
        with scanning(stack) as command:
            time.sleep(delay_s)  # the moment is the input: whatever it hits, the claim is the same
            kill(KINDS[kind](stack))
            if chance.random() < 0.5:  # the person looks at it, or gives up
                command.send_signal(signal.SIGKILL)
        two_more_scans_complete(stack, what)
        stack("local down")
        eventually(lambda: nothing_is_left(stack))
