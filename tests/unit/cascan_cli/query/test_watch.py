"""A query ends in time and after a signal, also where DuckDB does not react."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cascan_cli.query.watch import QueryWatch

STUCK = """
import signal, sys, time
from pathlib import Path
from cascan_cli.query import watch
watch.GRACE_S = 0.1
signal.signal(signal.SIGTERM, lambda *_: None)  # sleep goes on, as DuckDB does
query = watch.QueryWatch(float(sys.argv[1]), lambda: None, Path(sys.argv[2]).unlink)
query.start()
with query.in_database():
    print("waiting", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def spilled(tmp_path: Path) -> Path:
    path = tmp_path / "spilled"
    path.touch()
    return path


def start(seconds: float, spilled: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", STUCK, str(seconds), str(spilled)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, text=True, stdout=pipe, stderr=pipe)


def test_a_query_that_does_not_react_ends_with_its_process_when_its_time_is_over(spilled: Path) -> None:
    with start(0.1, spilled) as process:
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, "cascan: the query takes longer than 0 s\n")
    assert not spilled.exists()


def test_a_query_that_does_not_react_ends_with_its_process_after_a_signal(spilled: Path) -> None:
    with start(600, spilled) as process:
        assert process.stdout
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (128 + signal.SIGTERM, "cascan: interrupted\n")
    assert not spilled.exists()


def test_a_signal_interrupts_the_query_and_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted = threading.Event()
    previous = signal.signal(signal.SIGHUP, lambda *_: None)
    watch = QueryWatch(600, interrupted.set, lambda: pytest.fail("the query ended by itself"))
    watch.start()
    try:
        with watch.in_database():
            os.kill(os.getpid(), signal.SIGHUP)
            assert interrupted.wait(60)
    finally:
        watch.stop()
        signal.signal(signal.SIGHUP, previous)
    assert watch.signal == signal.SIGHUP


def test_rows_that_are_written_slowly_cost_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cascan_cli.query.watch.GRACE_S", 0.01)
    interrupted = threading.Event()
    watch = QueryWatch(0.01, interrupted.set, lambda: pytest.fail("DuckDB is not at work"))
    watch.start()
    assert interrupted.wait(60)
    watch._thread.join(0.1)  # several times the grace
    assert watch._thread.is_alive()
    watch.stop()
