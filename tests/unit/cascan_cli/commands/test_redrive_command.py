"""`cascan redrive`: what it lists, sends back and drops, and that nothing is lost on the way."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from cascan.events import ShardQueued, ShardReturned
from cascan.model.shard import Lane
from cascan.model.vantage import Vantage
from cascan_cli.commands import redrive
from cascan_cli.main import main
from cascan_cli.stack.dead_letters import QUEUES, add_idempotency_key
from tests.fakes import MemoryScanTable
from tests.fakes.operator_queue import MemoryOperatorQueue
from tests.support.builders import NOW, SCAN_ID, a_scan, a_shard

CANCEL = '{"action": "cancel", "scanId": "aaaaaaaaaaaaaaaa"}'
SHARD = ShardQueued(scan_id=SCAN_ID, cause_id="x", shard=0).to_wire()


WITH_HUB = {"ImportDLQUrl": "https://sqs.test/1/imports-dead"}  # an output of a stack with SecurityHub=enabled


@dataclass
class Stack:
    table: MemoryScanTable = field(default_factory=MemoryScanTable)
    queues: dict[str, MemoryOperatorQueue] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)

    def queue(self, name: str) -> MemoryOperatorQueue:
        return self.queues.setdefault(name, MemoryOperatorQueue())

    queue_at = queue

    def bodies(self, name: str) -> list[str]:
        return [letter.body for letter in self.queue(name).messages.values()]

    def held(self) -> set[str]:
        return set().union(*(queue.held for queue in self.queues.values()))


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Stack:
    stack = Stack()

    @contextmanager
    def open_stack(_: Any) -> Iterator[Stack]:
        yield stack

    monkeypatch.setattr(redrive, "open_stack", open_stack)
    return stack


def test_an_empty_stack_has_nothing_to_list(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["redrive", "list"]) == 0

    assert "no message waits for you" in capsys.readouterr().err


def test_the_list_names_the_message_what_it_is_about_and_why_it_failed(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    message_id = stack.queue("ControlDLQ").put(CANCEL, {"reason": "no such scan"})

    assert main(["redrive", "list"]) == 0

    queue, shown_id, kind, about, _, received, reason = capsys.readouterr().out.rstrip("\n").split("\t")
    assert (queue, shown_id, kind, about) == ("ControlDLQ", message_id, "control cancel", "a" * 16)
    assert (received, reason) == ("1", "no such scan")


class TestQueuesOfVantages:
    """Their dead letters are counted, and never read: each read would count as a delivery."""

    URL = "https://sqs.test/1/office-raw"

    @pytest.fixture(autouse=True)
    def office(self, stack: Stack) -> None:
        stack.table.put_vantage(Vantage(name="office", queues={"raw": self.URL}))
        stack.table.put_vantage(Vantage(name="attic", queues={"raw": "https://sqs.test/1/attic-raw"}, removed_at=NOW))
        stack.queue(f"{self.URL}-dlq").put(SHARD)

    def test_the_list_counts_them(self, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["redrive", "list"]) == 0
        assert "office-raw-dlq has 1 message, which on_shard_abandoned handles" in capsys.readouterr().err
        assert main(["redrive", "list", "--json"]) == 0
        entries = {entry["queue"]: entry for entry in json.loads(capsys.readouterr().out)}
        counted = entries["office-raw-dlq"]
        assert (counted["count"], counted["reader"], counted["messages"]) == (1, "on_shard_abandoned", [])
        assert "attic-raw-dlq" not in entries

    def test_one_that_cannot_be_counted_is_named_and_the_others_are_listed(
        self, stack: Stack, capsys: pytest.CaptureFixture[str]
    ) -> None:
        stack.queue(f"{self.URL}-dlq").down = True
        message_id = stack.queue("ControlDLQ").put(CANCEL)
        assert main(["redrive", "list"]) == 0
        printed = capsys.readouterr()
        assert "office-raw-dlq was not counted" in printed.err
        assert message_id in printed.out


def test_a_listed_message_is_visible_to_others_again(stack: Stack) -> None:
    stack.queue("ControlDLQ").put(CANCEL)

    main(["redrive", "list"])

    assert stack.held() == set()


def test_a_parked_shard_has_the_last_error_of_its_shard(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.table.create_scan(a_scan())
    stack.table.add_shards([a_shard(error_description="nmap was killed \x1b[2J")])
    stack.queue("ParkedShards").put(SHARD)

    main(["redrive", "list", "--json"])

    queues = {entry["queue"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert queues["ParkedShards"]["messages"][0]["reason"] == "nmap was killed \\x1b[2J"


def test_a_queue_that_a_function_empties_is_counted_and_not_read(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.queue("RequestDLQ").put("{}")

    main(["redrive", "list"])

    assert "RequestDLQ has 1 message, which on_scan_requested handles" in capsys.readouterr().err
    assert next(iter(stack.queue("RequestDLQ").messages.values())).received == 0


def test_a_message_is_shown_whole_and_printable(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    message_id = stack.queue("ParkedRequests").put("first\x1b[2J\nsecond", {"reason": "not JSON"})

    assert main(["redrive", "show", message_id[:10]]) == 0

    out = capsys.readouterr().out
    assert "first\\x1b[2J\nsecond" in out
    assert "reason: not JSON" in out
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("dead", "source"),
    [(queue.name, queue.sent_back_to[0]) for queue in QUEUES if queue.sent_back_to and queue.name != "ParkedShards"],
)
def test_a_message_goes_back_to_the_queue_it_came_from(stack: Stack, dead: str, source: str) -> None:
    stack.outputs = WITH_HUB
    stack.queue(dead).put("a body", {"reason": "failed"})

    assert main(["redrive", "send", dead]) == 0

    assert (stack.bodies(source), stack.bodies(dead)) == (["a body"], [])


def test_the_queue_of_imports_is_known_where_the_stack_has_it(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.queue("ImportDLQ").put('{"scan_id": "aaaaaaaaaaaaaaaa", "turns": 0}', {"reason": "InvalidInput: severity"})
    listed: list[Any] = []
    for stack.outputs in ({}, WITH_HUB):
        assert main(["redrive", "list", "--json"]) == 0
        entries = {entry["queue"]: entry for entry in json.loads(capsys.readouterr().out)}
        listed.append(entries.get("ImportDLQ"))

    absent, present = listed
    assert absent is None
    (message,) = present["messages"]
    assert (message["kind"], message["scan"]) == ("import", "a" * 16)
    assert message["reason"] == "InvalidInput: severity"


def test_a_queue_that_the_stack_does_not_have_is_refused_with_the_parameter(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["redrive", "send", "ImportDLQ"]) == 2

    assert "only a stack with SecurityHub=enabled has it" in capsys.readouterr().err
    assert stack.queues == {}


@pytest.mark.parametrize("lane", Lane)
def test_a_parked_shard_goes_to_the_dead_letters_of_its_lane(stack: Stack, lane: Lane) -> None:
    stack.table.create_scan(a_scan())
    stack.table.add_shards([a_shard(lane=lane)])
    stack.queue("ParkedShards").put(SHARD)

    assert main(["redrive", "send", "--all"]) == 0

    assert stack.bodies(f"{lane.capitalize()}ShardDLQ") == [SHARD]


def test_a_parked_message_that_returned_a_shard_goes_back_to_its_queue(stack: Stack) -> None:
    returned = ShardReturned(scan_id=SCAN_ID, cause_id="x", shard=0).to_wire()
    stack.queue("ParkedShards").put(returned)

    assert main(["redrive", "send", "--all"]) == 0

    assert stack.bodies("ReturnedShardQueue") == [returned]


def test_a_parked_shard_that_is_in_no_table_stays_and_the_others_are_sent(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.queue("ParkedShards").put(SHARD)
    stack.queue("ControlDLQ").put(CANCEL)

    assert main(["redrive", "send", "--all"]) == 1

    assert "its shard is not in the table" in capsys.readouterr().err
    assert stack.bodies("ParkedShards") == [SHARD]
    assert stack.bodies("ControlQueue") == [CANCEL]
    assert stack.held() == set()


def test_one_message_of_several_is_sent_back_by_its_id(stack: Stack) -> None:
    stack.queue("ReportDLQ").put("one")
    message_id = stack.queue("ReportDLQ").put("two")

    assert main(["redrive", "send", message_id]) == 0

    assert (stack.bodies("ReportQueue"), stack.bodies("ReportDLQ")) == (["two"], ["one"])


def test_a_message_that_cannot_be_sent_stays_where_it_is(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.queue("ReportDLQ").put("report")
    stack.queue("ReportQueue").down = True

    assert main(["redrive", "send", "ReportDLQ"]) == 1

    assert "was not sent back" in capsys.readouterr().err
    assert stack.bodies("ReportDLQ") == ["report"]


def test_of_two_operators_at_once_one_sends_the_message(stack: Stack) -> None:
    """What one command holds, another one does not see."""
    queue = stack.queue("ReportDLQ")
    queue.put("report")
    (held,) = queue.hold_messages(1, 60)

    assert main(["redrive", "send", "ReportDLQ"]) == 0
    assert stack.bodies("ReportQueue") == []
    queue.release([held])
    assert main(["redrive", "send", "ReportDLQ"]) == 0
    assert stack.bodies("ReportQueue") == ["report"]


def test_one_call_sends_a_bounded_number_of_messages_and_says_that_there_may_be_more(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(redrive, "MAX_DEAD_LETTERS", 2)
    for number in range(3):
        stack.queue("ReportDLQ").put(str(number))

    assert main(["redrive", "send", "--all"]) == 1
    assert "ReportDLQ may have more" in capsys.readouterr().err
    assert main(["redrive", "send", "--all"]) == 0
    assert stack.bodies("ReportQueue") == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["send"], "use --all"),
        (["send", "ReportDLQ", "--all"], "use --all"),
        (["send", "RequestDLQ"], "emptied by on_scan_requested"),
        (["send", "WakeupDLQ"], "cannot be sent back"),
        (["send", "ReportDLQ", "nosuchmessage"], "no dead-letter queue has a message 'nosuchmessage'"),
        (["send", "0000000"], "several messages begin with '0000000'"),
        (["show", "nosuch"], "no dead-letter queue has a message"),
        (["show", "0"], "no dead-letter queue has a message '0'"),
        (["drop", "00000000"], "confirm with --yes"),
    ],
)
def test_what_is_not_possible_is_refused_and_changes_nothing(
    stack: Stack,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    for number in range(2):
        stack.queue("ReportDLQ").put(str(number))

    assert main(["redrive", *arguments]) == 2

    assert message in capsys.readouterr().err
    assert stack.bodies("ReportDLQ") == ["0", "1"]
    assert stack.held() == set()


def test_a_dropped_message_is_deleted_and_the_others_stay(stack: Stack) -> None:
    stack.queue("WakeupDLQ").put("{}")
    message_id = stack.queue("WakeupDLQ").put("{}")

    assert main(["redrive", "drop", message_id, "--yes"]) == 0

    assert list(stack.queue("WakeupDLQ").messages) == ["00000000-message"]
    assert stack.held() == set()


def test_messages_are_released_when_reading_fails(stack: Stack) -> None:
    stack.queue("ParkedRequests").put("{}")
    stack.queue("WakeupDLQ").down = True

    assert main(["redrive", "show", "00000000"]) == 3

    assert stack.held() == set()


def test_a_parked_request_that_is_sent_twice_has_the_same_key_both_times(stack: Stack) -> None:
    body = json.dumps({"targets": ["10.0.0.1"]})
    message_id = stack.queue("ParkedRequests").put(body)
    keyed = add_idempotency_key(body, message_id)

    assert main(["redrive", "send", "ParkedRequests"]) == 0

    (sent,) = stack.queue("RequestQueue").messages.values()
    assert sent.body == keyed
    assert json.loads(keyed)["idempotencyKey"] == message_id
