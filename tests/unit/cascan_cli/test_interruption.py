"""Ctrl-C, SIGTERM, a closed terminal or --timeout while a scan is followed: what becomes of the scan, and its id."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cascan.errors import GatewayUnavailable
from cascan.events.control import Action, ControlRequested
from cascan.model.scan import Outcome, Scan, ScanState
from cascan_cli.errors import NotEnded
from cascan_cli.stack import interruption
from cascan_cli.stack.interruption import Interrupted, report_interruption, report_request_sent
from cascan_cli.stack.open import StackGateways
from tests.fakes import MemoryScanTable
from tests.support.builders import SCAN_ID, a_scan

ROOT = Path(__file__).parents[3]
HERE = Namespace(stack=None, state_dir=None)
STATES = {ScanState.SUSPENDED: {}, ScanState.DONE: {"outcome": Outcome.COMPLETE, "shards_open": 0}}


class Stack:
    """Its control queue is heard at once, unless it is deaf."""

    def __init__(self, *, stays_up: bool, deaf: bool = False) -> None:
        self.stays_up = stays_up
        self.deaf = deaf
        self.table = MemoryScanTable()
        self.control_queue = SimpleNamespace(send=self.send)
        self.sent: list[ControlRequested] = []

    def send(self, body: str) -> str:
        asked = ControlRequested.from_wire(body)
        self.sent.append(asked)
        if not self.deaf:
            self.table.advance_scan(asked.scan_id, ScanState.SUSPENDED, expected=[ScanState.SCANNING])
        return "message"

    @property
    def scan(self) -> Scan | None:
        return self.table.get_scan(SCAN_ID)


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SUSPENDED_WITHIN_S", "PLANNED_WITHIN_S"):
        monkeypatch.setattr(interruption, name, 0.2)


def interrupted(stack: Stack, args: Namespace = HERE, error: Callable[[], BaseException] = KeyboardInterrupt) -> Any:
    with (
        pytest.raises((Interrupted, NotEnded)) as caught,
        report_interruption([SCAN_ID], cast("StackGateways", stack), args),
    ):
        raise error()
    return caught.value


def test_on_a_stack_that_stays_up_the_scan_goes_on_and_nothing_is_sent(capsys: pytest.CaptureFixture[str]) -> None:
    stack = Stack(stays_up=True)
    stack.table.create_scan(a_scan())
    error = interrupted(stack, Namespace(stack="prod", state_dir=None))
    assert (error.exit_code, error.reported, stack.sent) == (130, True, [])
    said = capsys.readouterr().err
    assert f"scan {SCAN_ID} (lan) goes on, it is Scanning" in said
    assert f"cascan findings {SCAN_ID} --stack prod" in said
    assert f"end it: cascan cancel {SCAN_ID} --stack prod" in said


def test_a_scan_that_waits_for_its_window_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cascan.clock.utc_now", lambda: datetime(2026, 3, 1, 12, 0, tzinfo=UTC))
    stack = Stack(stays_up=True)
    stack.table.create_scan(a_scan(windows=("22:00-06:00",), shards_waiting=1))
    interrupted(stack)
    assert "is outside its windows, and goes on at 2026-03-01T22:00:00.000Z; end it" in capsys.readouterr().err


@pytest.mark.parametrize("error", [KeyboardInterrupt, lambda: NotEnded("the scan has not ended after 1 s")])
def test_on_a_stack_that_ends_with_the_command_the_scan_is_suspended(
    error: Callable[[], BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    stack = Stack(stays_up=False)
    stack.table.create_scan(a_scan())
    interrupted(stack, Namespace(stack=None, state_dir=Path("/tmp/a b")), error)
    assert stack.scan
    assert stack.scan.state is ScanState.SUSPENDED
    assert [(sent.action, sent.scan_id) for sent in stack.sent] == [(Action.SUSPEND, SCAN_ID)]
    said = capsys.readouterr().err
    assert f"continue it: cascan local up --state-dir '/tmp/a b', then cascan resume {SCAN_ID}" in said
    assert f"end it: cascan cancel {SCAN_ID}" in said


def test_a_scan_that_ended_meanwhile_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    stack = Stack(stays_up=False)
    stack.table.create_scan(a_scan(state=ScanState.DONE, outcome=Outcome.COMPLETE, shards_open=0))
    interrupted(stack)
    assert stack.sent == []
    assert f"scan {SCAN_ID} (lan) has ended, it is Done" in capsys.readouterr().err


def test_a_request_that_is_not_planned_yet_is_reported_as_queued(capsys: pytest.CaptureFixture[str]) -> None:
    interrupted(Stack(stays_up=False))
    assert f"scan {SCAN_ID} is queued, and goes on when the local stack is up again" in capsys.readouterr().err


def test_a_stack_that_does_not_suspend_in_time_is_not_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    stack = Stack(stays_up=False, deaf=True)
    stack.table.create_scan(a_scan())
    interrupted(stack)
    assert len(stack.sent) == 1
    assert "is Scanning, and goes on when the local stack is up again: cascan local up" in capsys.readouterr().err


def test_a_stack_that_is_gone_is_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    stack = Stack(stays_up=True)

    def gone(_: str) -> None:
        raise GatewayUnavailable("scan table")

    stack.table.get_scan = gone  # type: ignore[method-assign, assignment]
    assert interrupted(stack).exit_code == 130
    assert capsys.readouterr().err == "cascan: interrupted\n"


# Whoever runs the tests may ignore some of these signals (nohup, a job in the background), and a child inherits that.
LISTENING = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
runpy.run_module("cascan_cli.main", run_name="__main__")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_an_exit_code_and_no_traceback(number: signal.Signals, tmp_path: Path) -> None:
    pipe = tmp_path / "request.json"
    os.mkfifo(pipe)
    argv = [sys.executable, "-c", LISTENING, "submit", "--state-dir", str(tmp_path), "-f", str(pipe)]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}"}
    with subprocess.Popen(argv, stderr=subprocess.PIPE, env=environment, cwd=ROOT) as command:
        with pipe.open("wb"):  # returns once the command has opened it, to read from it
            command.send_signal(number)
        # Closed only now: a signal that came just before the command's read() would not have woken it.
        assert command.stderr
        assert command.stderr.read() == b"cascan: interrupted; no scan was requested\n"
    assert command.returncode == 128 + number


def test_an_interruption_right_after_the_request_says_that_it_was_requested(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Interrupted) as raised, report_request_sent():
        raise Interrupted(signal.SIGTERM)
    assert raised.value.reported
    assert raised.value.number == signal.SIGTERM
    assert "interrupted; the scan was requested" in capsys.readouterr().err


def test_an_interruption_that_was_reported_is_reported_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Interrupted), report_request_sent():
        raise Interrupted(reported=True)
    assert capsys.readouterr().err == ""
