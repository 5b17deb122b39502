"""`cascan cancel`, `suspend`, `resume`, `halt`, and what `scans` says of them: over the function itself, in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from cascan.clock import no_time_limit
from cascan.events.control import ControlRequested
from cascan.gateways import ScanGateways
from cascan.model.scan import Outcome, Scan, ScanState
from cascan.model.shard import ShardState
from cascan_cli.commands import control as command
from cascan_cli.commands import scans
from cascan_cli.main import main
from on_control_requested.control_scan import control_scan, finish_cancelling
from tests.fakes import MemoryEventBus, MemoryOperatorRecords, MemoryReportStore, MemoryScanTable, MemoryShardQueues
from tests.support.builders import NOW, SCAN_ID, a_scan, a_shard, clock

HOUR = timedelta(hours=1)


class Stack:
    """Its control queue is handled as soon as it is written to, unless nobody listens."""

    def __init__(self) -> None:
        self.table = MemoryScanTable()
        self.sent: list[ControlRequested] = []
        self.listens = True

    def send(self, body: str) -> str:
        self.sent.append(ControlRequested.from_wire(body))
        if self.listens:
            control_scan(
                self.sent[-1],
                ScanGateways(self.table, MemoryShardQueues(), MemoryEventBus(), clock),
                reports=MemoryReportStore(),
                operator_records=MemoryOperatorRecords(),
                stack_switch=self.table,
            )
        return "message"

    def store(self, **fields: Any) -> None:
        self.table.create_scan(a_scan(**fields))
        self.table.add_shards(
            [a_shard(state=ShardState.WAITING if fields.get("shards_waiting") else ShardState.QUEUED)]
        )

    def wide(self, number: int) -> None:
        counts = {"shards": number, "shards_open": number, "shards_waiting": number, "shards_in_flight": 0}
        self.table.create_scan(a_scan(**counts))
        self.table.add_shards(a_shard(number=n, state=ShardState.WAITING) for n in range(number))

    def turn(self) -> None:
        """What the function does behind its batch, or the next tick."""
        finish_cancelling(
            [SCAN_ID], no_time_limit, ScanGateways(self.table, MemoryShardQueues(), MemoryEventBus(), clock)
        )

    @property
    def scan(self) -> Scan:
        return self.table.scans[SCAN_ID]


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Stack:
    stack = Stack()

    @contextmanager
    def access(_: Any) -> Iterator[Any]:
        yield SimpleNamespace(table=stack.table, control_queue=stack, stays_up=True)

    for module in (command, scans):
        monkeypatch.setattr(module, "open_stack", access)
    return stack


def test_a_scan_is_cancelled_by_its_name_with_who_and_why(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.store()
    assert main(["cancel", "lan", "--reason", "wrong network"]) == 0
    assert stack.scan.state is ScanState.CANCELLED
    assert stack.scan.error_description.endswith(": wrong network")
    assert f"scan {SCAN_ID} (lan) cancelled" in capsys.readouterr().err


def test_suspending_and_resuming_end_with_zero_and_tell_the_scan_as_json(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.store()
    assert main(["suspend", "latest", "--json"]) == 0
    assert [scan["state"] for scan in json.loads(capsys.readouterr().out)] == ["Suspended"]
    assert main(["resume", "latest", "--json"]) == 0
    assert [scan["state"] for scan in json.loads(capsys.readouterr().out)] == ["Scanning"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["cancel", "latest"], "has ended, it is Done: there is nothing to cancel"),
        (["suspend", "latest"], "there is nothing to suspend"),
        (["cancel", "nothing"], "there is no scan 'nothing'"),
        (["cancel", "latest", "--reason", "x" * 1025], "--reason is longer than 1024 characters"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_sent(
    stack: Stack, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    stack.store(state=ScanState.DONE, shards_open=0, outcome=Outcome.COMPLETE)
    assert main(words) == 2
    assert says in capsys.readouterr().err
    assert stack.sent == []


def test_a_scan_that_is_not_suspended_cannot_be_resumed(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.store()
    assert main(["resume", "latest"]) == 2
    assert "is not suspended, it is Scanning" in capsys.readouterr().err


def test_a_stack_that_does_not_react_is_reported_with_the_log_to_read(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.store()
    stack.listens = False
    assert main(["cancel", "latest", "--timeout", "0"]) == 3
    assert "see the log of on_control_requested and its dead-letter queue" in capsys.readouterr().err


def test_a_suspended_scan_is_listed_with_the_command_that_continues_it(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.store(state=ScanState.SUSPENDED, shards_waiting=1, shards_in_flight=0)
    assert main(["scans"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("1 of 1 shards wait for cascan resume")


def test_a_scan_outside_its_windows_is_listed_with_the_time_at_which_the_next_one_opens(
    stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scans, "utc_now", lambda: datetime(2026, 3, 1, 12, 0, tzinfo=UTC))
    stack.store(shards_waiting=1, shards_in_flight=0, windows=("22:00-06:00",))
    assert main(["scans"]) == 0
    assert (
        capsys.readouterr().out.rstrip().endswith("shards wait for its window, which opens at 2026-03-01T22:00:00.000Z")
    )


def test_a_scan_within_its_window_waits_for_no_other_one(
    stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scans, "utc_now", lambda: datetime(2026, 3, 1, 23, 0, tzinfo=UTC))
    stack.store(shards_waiting=1, shards_in_flight=0, windows=("22:00-06:00",))
    assert main(["scans"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("1 of 1 shards wait")


def test_a_halted_stack_says_so_wherever_scans_are_listed(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.store(shards_waiting=1, shards_in_flight=0)
    assert main(["halt", "--reason", "too loud"]) == 0
    capsys.readouterr()
    assert main(["scans"]) == 0
    out, err = capsys.readouterr()
    assert "the stack is halted since" in err
    assert "(too loud)" in err
    assert out.rstrip().endswith("1 of 1 shards wait")
    assert main(["halt", "--lift", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"halted": False, "switch": None}
    assert stack.table.switch() is None


RUNNING, LATER = "b" * 16, "c" * 16


@pytest.mark.parametrize("action", ["cancel", "suspend"])
@pytest.mark.parametrize("asked", ["lan", "latest"])
def test_a_name_means_the_scan_that_runs_though_a_newer_one_has_ended(stack: Stack, action: str, asked: str) -> None:
    """Two submitters, one name."""
    stack.store(requested_at=NOW)
    stack.table.create_scan(
        a_scan(scan_id=LATER, requested_at=NOW + HOUR, state=ScanState.DONE, shards_open=0, outcome=Outcome.COMPLETE)
    )
    assert main([action, asked]) == 0
    assert [sent.scan_id for sent in stack.sent] == [SCAN_ID]
    assert stack.scan.state in (ScanState.CANCELLED, ScanState.SUSPENDED)
    assert stack.table.scans[LATER].state is ScanState.DONE


def test_a_name_means_every_scan_of_the_series_that_runs_and_latest_the_newest_of_them(stack: Stack) -> None:
    stack.store(requested_at=NOW)
    for number, scan_id in enumerate((RUNNING, LATER)):
        stack.table.create_scan(a_scan(scan_id=scan_id, requested_at=NOW + HOUR * (number + 1)))
        stack.table.add_shards([a_shard(scan_id=scan_id)])
    assert main(["suspend", "latest"]) == 0
    assert [sent.scan_id for sent in stack.sent] == [LATER]
    assert main(["cancel", "lan", LATER[:5], LATER]) == 0  # each once, however often it is meant
    assert [sent.scan_id for sent in stack.sent[1:]] == [LATER, RUNNING, SCAN_ID]
    assert {scan.state for scan in stack.table.scans.values()} == {ScanState.CANCELLED}


def test_resume_means_the_scan_that_is_suspended_though_a_newer_one_runs(stack: Stack) -> None:
    stack.store(requested_at=NOW, state=ScanState.SUSPENDED)
    stack.table.create_scan(a_scan(scan_id=LATER, requested_at=NOW + HOUR))
    assert main(["resume", "lan"]) == 0
    assert [sent.scan_id for sent in stack.sent] == [SCAN_ID]


def test_a_wide_scan_is_followed_to_its_end_over_several_turns(
    stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.wide(300)
    monkeypatch.setattr("cascan_cli.commands.control.time.sleep", lambda _: stack.turn())
    assert main(["cancel", "latest"]) == 0
    assert (stack.scan.shards_open, stack.scan.finished_at) == (0, clock())
    assert f"scan {SCAN_ID} (lan) cancelled\n" in capsys.readouterr().err


def test_a_cancelled_scan_whose_turns_do_not_come_is_cancelled_all_the_same_and_says_what_is_left(
    stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.wide(300)
    monkeypatch.setattr(command, "MAX_PAUSE_S", -1)
    assert main(["cancel", "latest", "--timeout", "-1"]) == 0
    assert "is cancelled and starts no more shards; 201 shards are still to be closed" in capsys.readouterr().err
