"""The checks of queues, halt, agenda and scans: a healthy stack, and broken ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from cascan.aws.sqs.operator_queue import SqsOperatorQueue
from cascan.errors import GatewayUnavailable
from cascan.model.agenda import AgendaEntry, AgendaTask, Switch
from cascan.model.scan import ScanState
from cascan.model.vantage import Vantage
from cascan_cli.doctor.check import Result, Status, run_checks, worst
from cascan_cli.doctor.stack_checks import stack_checks
from tests.fakes import MemoryScanTable
from tests.fakes.operator_queue import MemoryOperatorQueue
from tests.support.builders import NOW, SCAN_ID, a_scan


class MissingQueue(MemoryOperatorQueue):
    def count(self) -> int:
        raise GatewayUnavailable("queue: An error occurred (AWS.SimpleQueueService.NonExistentQueue)")


@dataclass
class Stack:
    table: MemoryScanTable = field(default_factory=MemoryScanTable)
    queues: dict[str, MemoryOperatorQueue] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=lambda: {"ReportQueueUrl": "an address", "ReportDLQUrl": "another"})

    def queue(self, name: str) -> MemoryOperatorQueue:
        return self.queues.setdefault(name, MemoryOperatorQueue())

    queue_at = queue


def examine(stack: Any) -> dict[str, list[Result]]:
    results: dict[str, list[Result]] = {}
    for name, result in run_checks(stack_checks(stack, NOW, " --stack lan")):
        results.setdefault(name, []).append(result)
    return results


def serious(results: dict[str, list[Result]]) -> list[Result]:
    return [result for found in results.values() for result in found if result.status is not Status.OK]


def statuses(results: dict[str, list[Result]]) -> Iterator[Status]:
    return (result.status for found in results.values() for result in found)


def test_a_healthy_stack_passes_every_check() -> None:
    stack = Stack()
    stack.table.create_scan(a_scan(deadline_at=NOW + timedelta(hours=1)))
    stack.table.add_to_agenda(AgendaEntry(NOW - timedelta(minutes=1), SCAN_ID, AgendaTask.LOOK))

    results = examine(stack)

    assert set(results) == {"queues", "dead letters", "vantages", "halt", "agenda", "layout", "scans"}
    assert worst(statuses(results)) is Status.OK


def test_a_missing_queue_is_a_problem() -> None:
    stack = Stack(queues={"ReportQueue": MissingQueue()})

    (result,) = serious(examine(stack))

    assert (result.status, result.sentence) == (Status.PROBLEM, "missing: ReportQueue")


def test_a_vantage_whose_queue_is_missing_or_has_dead_letters_is_seen() -> None:
    stack = Stack(queues={"office-raw": MissingQueue()})
    stack.table.put_vantage(Vantage(name="office", queues={"connect": "office-connect", "raw": "office-raw"}))
    stack.table.put_vantage(Vantage(name="removed", queues={"raw": "office-raw"}, removed_at=NOW))
    stack.queue("office-connect").put("a shard that waits")
    stack.queue("office-connect-dlq").put("a shard that was given up")

    assert serious(examine(stack)) == [
        Result.warning(
            "the dead-letter queue of the connect queue of office has 1 message, which on_shard_abandoned resolves "
            "unless it fails",
            "cascan redrive list --stack lan",
        ),
        Result.problem("the raw queue of office is missing", "make it again: docs/vantages.md"),
    ]


def test_dead_letters_are_counted_queue_by_queue() -> None:
    stack = Stack()
    for body in ("a", "b"):
        stack.queue("ReportDLQ").put(body)
    stack.queue("RawShardDLQ").put("c")

    assert serious(examine(stack)) == [
        Result.warning("ReportDLQ has 2 messages", "cascan redrive list --stack lan"),
        Result.warning(
            "RawShardDLQ has 1 message, which on_shard_abandoned resolves unless it fails",
            "cascan redrive list --stack lan",
        ),
    ]


@pytest.mark.parametrize("has_queue", [False, True])
def test_dead_letters_of_imports_are_counted_where_the_stack_imports(*, has_queue: bool) -> None:
    stack = Stack(outputs={"ImportDLQUrl": "https://sqs.test/1/imports-dead"} if has_queue else {})
    stack.queue("ImportDLQ").put("a scan")

    warnings = [result.sentence for result in serious(examine(stack))]
    assert warnings == (["ImportDLQ has 1 message"] if has_queue else [])


def test_a_halted_stack_is_a_warning_with_the_reason() -> None:
    stack = Stack()
    stack.table.halt(Switch(halted_at=NOW, by="soc", reason="audit"))

    assert serious(examine(stack)) == [
        Result.warning(
            "the stack is halted since 2026-03-01T12:00:00.000Z by soc (audit)", "cascan halt --lift --stack lan"
        )
    ]


def test_overdue_tasks_are_a_problem() -> None:
    stack = Stack()
    stack.table.add_to_agenda(AgendaEntry(NOW - timedelta(minutes=11), SCAN_ID, AgendaTask.DEADLINE))

    (result,) = serious(examine(stack))

    assert result.status is Status.PROBLEM
    assert result.sentence.startswith("1 task overdue since 2026-03-01T11:49:00.000Z")


@pytest.mark.parametrize(("late", "stuck"), [(timedelta(minutes=59), False), (timedelta(minutes=61), True)])
def test_a_scan_that_has_not_ended_an_hour_past_its_deadline_is_a_problem(late: timedelta, stuck: bool) -> None:
    stack = Stack()
    stack.table.create_scan(a_scan(deadline_at=NOW - late))

    remedies = [result.remedy for result in serious(examine(stack))]

    assert remedies == ([f"cascan cancel {SCAN_ID} --stack lan"] if stuck else [])


def test_a_scan_that_has_ended_is_not_stuck() -> None:
    stack = Stack()
    stack.table.create_scan(a_scan(deadline_at=NOW - timedelta(days=1), state=ScanState.DONE))

    assert serious(examine(stack)) == []


def test_an_inventory_of_an_earlier_version_is_a_warning_with_the_command_that_migrates_it() -> None:
    stack = Stack()
    stack.table.is_of_earlier_version = True

    (warning,) = serious(examine(stack))

    assert (warning.status, warning.remedy) == (Status.WARNING, "cascan migrate --stack lan")


def test_a_table_that_does_not_answer_stops_no_check_of_the_queues() -> None:
    stack = Stack()
    stack.table.down = True

    results = examine(stack)

    assert [name for name, (result, *_) in results.items() if result.status is Status.PROBLEM] == [
        "vantages",
        "halt",
        "agenda",
        "layout",
        "scans",
    ]
    assert results["queues"][0].status is Status.OK


def test_the_real_queue_has_the_methods_of_the_fake() -> None:
    methods: Sequence[str] = ("count", "hold_messages", "release", "send", "delete")

    assert all(hasattr(SqsOperatorQueue, name) and hasattr(MemoryOperatorQueue, name) for name in methods)
