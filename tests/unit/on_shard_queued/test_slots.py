"""Several workers side by side: signals reach each of them, and the first waits for the others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from on_shard_queued.slots import SLOTS_VARIABLE, Slots, start_other_slots
from tests.support.waiting import WITHIN_S, eventually

WAITS = "import os, pathlib, signal, sys; pathlib.Path(sys.argv[1], str(os.getpid())).touch(); signal.pause()"
TELLS = "import os, pathlib, sys; pathlib.Path(sys.argv[1], str(os.getpid())).write_text(os.environ['WORKER_SLOTS'])"


def slots(folder: Path, others: int, program: str) -> Slots:
    return Slots(others, [sys.executable, "-c", program, str(folder)], dict(os.environ))


def test_each_of_the_other_slots_is_a_process_of_its_own_with_one_slot(tmp_path: Path) -> None:
    assert slots(tmp_path, 3, TELLS).wait() == 0
    assert [path.read_text() for path in tmp_path.iterdir()] == ["1", "1", "1"]


def test_a_signal_is_passed_on_to_every_slot_and_a_slot_that_ends_badly_is_told(tmp_path: Path) -> None:
    it = slots(tmp_path, 2, WAITS)
    eventually(lambda: len(list(tmp_path.iterdir())) == 2)
    it.pass_on(signal.SIGTERM)
    assert it.wait() == 1
    it.pass_on(signal.SIGTERM)  # nobody is left to hear it


def test_one_slot_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert start_other_slots(1).wait() == 0
    assert SLOTS_VARIABLE == "WORKER_SLOTS"


def test_slots_are_told_to_end_when_the_first_is_killed(tmp_path: Path) -> None:
    waits = f"""
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (open({str(tmp_path / "told")!r}, "w").close(), sys.exit()))
print("ready", flush=True)
time.sleep({WITHIN_S})
"""
    first = f"""
import sys, time
from on_shard_queued.slots import Slots
slots = Slots(1, [sys.executable, "-c", {waits!r}], dict(__import__("os").environ))
time.sleep({WITHIN_S})
"""
    functions = Path(__file__).parents[3] / "functions"
    with subprocess.Popen(
        [sys.executable, "-c", first], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(functions)}
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        process.kill()
    eventually((tmp_path / "told").exists)
