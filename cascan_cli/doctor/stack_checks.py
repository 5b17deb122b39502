"""Checks that every stack has, on this machine or on AWS: queues, halt, agenda, scans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cascan.clock import to_wire
from cascan.errors import GatewayUnavailable
from cascan.limits import MAX_DUE_AT_ONCE, MAX_SCANS_CHECKED, STUCK_AFTER_S
from cascan.scans.close import ENDED_STATES
from cascan_cli.doctor.check import Check, Result
from cascan_cli.output.text import pluralize
from cascan_cli.stack.dead_letters import list_queues
from cascan_cli.stack.health import describe_halt

if TYPE_CHECKING:
    from cascan.gateways import Agenda, Scans, ScanTable, StackSwitch
    from cascan_cli.stack.open import StackGateways

AGENDA_LATE = timedelta(minutes=10)  # the agenda is worked through every minute
NO_SUCH_QUEUE = ("NonExistentQueue", "QueueDoesNotExist")  # error codes of SQS
QUEUE_OUTPUT = "QueueUrl"  # how the outputs with the URLs of queues end; those of dead-letter queues do not


def stack_checks(stack: StackGateways, now: datetime, option: str) -> list[Check]:
    """`option` is what a command needs to reach this stack: empty, or ` --stack NAME`."""
    return [
        Check("queues", lambda: check_queues(stack), "sqs:GetQueueAttributes"),
        Check("dead letters", lambda: check_dead_letters(stack, option), "sqs:GetQueueAttributes"),
        Check("vantages", lambda: check_vantages(stack, option), "sqs:GetQueueAttributes"),
        Check("halt", lambda: check_halt(stack.table, option), "dynamodb:GetItem"),
        Check("agenda", lambda: check_agenda(stack.table, now), "dynamodb:Query"),
        Check("layout", lambda: check_layout(stack.table, option), "dynamodb:Query"),
        Check("scans", lambda: check_scans(stack.table, now, option), "dynamodb:Query"),
    ]


def list_work_queues(outputs: Mapping[str, str]) -> list[str]:
    """The queues of the stack with these outputs by their names in the template, without those of dead letters."""
    return sorted(name.removesuffix("Url") for name in outputs if name.endswith(QUEUE_OUTPUT))


def check_queues(stack: StackGateways) -> Iterator[Result]:
    """All queues exist."""
    missing: list[str] = []
    names = [*list_work_queues(stack.outputs), *(queue.name for queue in list_queues(stack.outputs))]
    for name in names:
        try:
            stack.queue(name).count()
        except GatewayUnavailable as exc:
            if not any(code in str(exc) for code in NO_SUCH_QUEUE):
                raise
            missing.append(name)
    if missing:
        yield Result.problem(f"missing: {', '.join(missing)}", "deploy the stack again")
    else:
        yield Result.ok(f"all {len(names)} queues exist")


def check_dead_letters(stack: StackGateways, option: str) -> Iterator[Result]:
    """Nothing was given up. One warning for each queue with messages."""
    total = 0
    for queue in list_queues(stack.outputs):
        count = stack.queue(queue.name).count()
        total += count
        if count:
            messages = pluralize(count, "message")
            resolves = f", which {queue.reader} resolves unless it fails" if queue.reader else ""
            yield Result.warning(f"{queue.name} has {messages}{resolves}", f"cascan redrive list{option}")
    if not total:
        yield Result.ok("no message was given up")


def check_vantages(stack: StackGateways, option: str) -> Iterator[Result]:
    """Every vantage has its queues, and nothing was given up there."""
    vantages = [vantage for vantage in stack.table.vantages() if vantage.removed_at is None]
    is_well = True
    for vantage in vantages:
        for lane, url in sorted(vantage.queues.items()):
            for problem in _check_vantage_queue(stack, f"{lane} queue of {vantage.name}", url, option):
                is_well = False
                yield problem
    if is_well:
        known = pluralize(len(vantages), "vantage")
        yield Result.ok(f"{known} besides the stack itself" + (", each with its queues" if vantages else ""))


def _check_vantage_queue(stack: StackGateways, name: str, url: str, option: str) -> Iterator[Result]:
    for kind, queue_url in (("", url), ("dead-letter queue of the ", f"{url}-dlq")):
        try:
            count = stack.queue_at(queue_url).count()
        except GatewayUnavailable as exc:
            if not any(code in str(exc) for code in NO_SUCH_QUEUE):
                raise
            yield Result.problem(f"the {kind}{name} is missing", "make it again: docs/vantages.md")
            continue
        if kind and count:
            resolves = "which on_shard_abandoned resolves unless it fails"
            messages = pluralize(count, "message")
            yield Result.warning(f"the {kind}{name} has {messages}, {resolves}", f"cascan redrive list{option}")


def check_halt(stack_switch: StackSwitch, option: str) -> Iterator[Result]:
    switch = stack_switch.switch()
    if switch:
        sentence, _, _ = describe_halt(switch).partition("; ")
        yield Result.warning(sentence, f"cascan halt --lift{option}")
    else:
        yield Result.ok("the stack is not halted")


def check_agenda(agenda: Agenda, now: datetime) -> Iterator[Result]:
    """What was due was done."""
    overdue = list(agenda.due(now - AGENDA_LATE, MAX_DUE_AT_ONCE))
    if overdue:
        more = "at least " if len(overdue) == MAX_DUE_AT_ONCE else ""
        tasks = pluralize(len(overdue), "task")
        yield Result.problem(
            f"{more}{tasks} overdue since {to_wire(overdue[0].due_at)}: on_minute_passed does not run, or fails",
            "read the log of on_minute_passed; docs/runbook.md, TickSilent and ScansStuck",
        )
    else:
        yield Result.ok("nothing is overdue")


def check_layout(table: ScanTable, option: str) -> Iterator[Result]:
    """Nothing in the inventory is left as an earlier version stored it."""
    if table.needs_migration():
        earlier = "an earlier version stored a part of the inventory, which takes longer to read"
        yield Result.warning(earlier, f"cascan migrate{option}")
    else:
        yield Result.ok("the inventory has the present layout")


def check_scans(scans: Scans, now: datetime, option: str) -> Iterator[Result]:
    """Every one of the latest scans has ended, or has time left."""
    stuck = [
        scan
        for scan in scans.list_scans(MAX_SCANS_CHECKED)
        if scan.state not in ENDED_STATES
        and scan.deadline_at is not None
        and scan.deadline_at + timedelta(seconds=STUCK_AFTER_S) < now
    ]
    for scan in stuck:
        name = f"{scan.scan_id} ({scan.name})"
        yield Result.problem(
            f"scan {name} has not ended an hour past its deadline", f"cascan cancel {scan.scan_id}{option}"
        )
    if not stuck:
        yield Result.ok("no scan is stuck")
