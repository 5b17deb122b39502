"""A schedule is due → request its scan unless something prevents it, and prune its history."""

from __future__ import annotations

import json
from collections.abc import Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from cascan.clock import Clock, to_wire
from cascan.errors import UnreadableItem
from cascan.events import ScheduleSkipped
from cascan.events.control import Action, ControlRequested
from cascan.gateways import Agenda, EventBus, IssuedRequests, RequestQueue, Scans, ScheduleTable
from cascan.ids import derive_event_id
from cascan.limits import MAX_SETTLE_RETRIES, PLANNING_GRACE_S, SCHEDULE_RETRY_S, SETTLE_RETRY_S
from cascan.log_context import add_log_context
from cascan.model.agenda import AgendaEntry, AgendaTask
from cascan.model.scan import FINAL_STATES, Scan, ScanState
from cascan.model.schedule import Concurrency, LatestResult, Schedule, ScheduledRun
from cascan.scans.close import ENDED_STATES
from cascan.schedules.due import Kind, ScheduleDue, build_run_request, is_blacked_out, run_scan_id
from cascan.schedules.form import read_schedule

MAX_SCANS_NAMED = 3  # in a reason


class PlannedScans(Scans, Agenda, Protocol):
    """The scans of a schedule, and what is due about them."""


@dataclass(frozen=True, slots=True)
class ScheduleContext:
    """The gateways, and the clock."""

    schedules: ScheduleTable
    scans: PlannedScans
    issued: IssuedRequests
    requests: RequestQueue
    controls: RequestQueue
    delayed: RequestQueue  # messages sent here return to the schedule queue after a delay
    bus: EventBus
    clock: Clock


@dataclass(frozen=True, slots=True)
class RequestOutcome:
    """How a message was handled, for the log."""

    schedule: str
    due_at: str
    outcome: str  # asked, settled, waits; or why nothing started: deleted, suspended …
    scan_id: str = ""
    cancelled: int = 0
    removed: int = 0


class RunWithScan(NamedTuple):
    """A run and its scan. The scan is None if it is not planned yet, or was removed."""

    run: ScheduledRun
    scan: Scan | None

    def is_active(self, now: datetime) -> bool:
        """Whether the scan runs, or may still be planned."""
        if self.scan:
            return self.scan.state not in ENDED_STATES
        return not self.run.ended and now - self.run.asked_at < timedelta(seconds=PLANNING_GRACE_S)


def request_scan(due: ScheduleDue, context: ScheduleContext) -> RequestOutcome:
    """Request the scan that is due. A repeat requests the same scan with the same bytes.

    Raises: RequestRefused: this version cannot read the stored schedule.
    """
    add_log_context(schedule=due.schedule)
    stored = context.schedules.schedule(due.schedule)
    if stored is None:
        return _build_outcome(due, "deleted")
    schedule = read_schedule(stored.document, is_stored=True)
    if due.kind is Kind.SETTLE:
        return _settle(due, schedule, context)
    obstacle = _find_obstacle(due, schedule, context)
    if obstacle:
        return _build_outcome(due, obstacle)
    runs = _load_runs(schedule, context)
    scan_id = run_scan_id(schedule, due.due_at)
    add_log_context(scan_id=scan_id)
    is_repeat = any(each.run.scan_id == scan_id for each in runs)
    active = [] if is_repeat else [each for each in runs if each.is_active(context.clock())]
    cancelled = 0
    if active and schedule.concurrency is Concurrency.FORBID:
        return _wait_for_earlier(due, schedule, active, context)
    if active and schedule.concurrency is Concurrency.REPLACE:
        if not all(each.scan for each in active):  # an unplanned scan cannot be cancelled
            return _send_again(due, "waits", context)
        cancelled = _cancel(active, due, context)
    _send_request(schedule, due, context)
    removed = _prune_history(schedule, runs, context)
    return _build_outcome(due, "asked", scan_id, cancelled, removed)


def _send_request(schedule: Schedule, due: ScheduleDue, context: ScheduleContext) -> None:
    """Store the run and send its request.

    If the run is stored already, its stored request is sent.
    """
    run = context.schedules.add_run(
        ScheduledRun(
            schedule=schedule.name,
            due_at=due.due_at,
            scan_id=run_scan_id(schedule, due.due_at),
            asked_at=context.clock(),
            body=json.dumps(build_run_request(schedule, due.due_at)),
        )
    )
    if run.ended:  # a late repeat: its scan was removed, and must not start again
        return
    context.issued.issue(run.scan_id, run.body)
    context.requests.send(run.body)


def _find_obstacle(due: ScheduleDue, schedule: Schedule, context: ScheduleContext) -> str:
    """Why nothing starts, apart from scans that still run. Empty: nothing prevents it."""
    if due.kind is Kind.RETRIGGER and not schedule.retrigger:
        return "unasked"
    if due.kind is not Kind.RUN_NOW and schedule.suspend:
        return "suspended"
    if not context.schedules.record_due(schedule.name, due.due_at):
        return "overtaken"
    if due.kind is not Kind.RUN_NOW and is_blacked_out(schedule, due.due_at):
        _announce_skip(due, schedule, "blackout", "nothing starts on this date", context, retried=False)
        return "blackout"
    return ""


def _load_runs(schedule: Schedule, context: ScheduleContext) -> list[RunWithScan]:
    """The runs of the schedule with their scans, the oldest first.

    A run whose scan cannot be read is left out: whether it runs is unknown, so it neither blocks
    others nor is removed.
    """
    runs: list[RunWithScan] = []
    for run in context.schedules.runs(schedule.name):
        with suppress(UnreadableItem):  # the table logs it
            scan = None if run.ended else context.scans.get_scan(run.scan_id)
            runs.append(RunWithScan(run, scan))
    return runs


def _wait_for_earlier(
    due: ScheduleDue, schedule: Schedule, active: Sequence[RunWithScan], context: ScheduleContext
) -> RequestOutcome:
    if not due.retry:
        scan_ids = ", ".join(each.run.scan_id for each in active[:MAX_SCANS_NAMED])
        reason = f"concurrencyPolicy is Forbid, and {scan_ids} still runs"
        _announce_skip(due, schedule, "running", reason, context, retried=True)
    return _send_again(due, "running", context)


def _send_again(
    due: ScheduleDue, outcome: str, context: ScheduleContext, delay_s: int = SCHEDULE_RETRY_S
) -> RequestOutcome:
    """Send the message again after a delay.

    A later time of the schedule overtakes a message that is due.
    """
    retry = ScheduleDue(schedule=due.schedule, due_at=due.due_at, kind=due.kind, retry=due.retry + 1)
    context.delayed.send(retry.to_wire(), delay_s=delay_s)
    return _build_outcome(due, outcome)


def _cancel(runs: Sequence[RunWithScan], due: ScheduleDue, context: ScheduleContext) -> int:
    """Request that the scans of the runs are cancelled. Returns their number."""
    reason = f"replaced by the scan that was due at {to_wire(due.due_at)}"
    for each in runs:
        request = ControlRequested(
            action=Action.CANCEL,
            scan_id=each.run.scan_id,
            by=f"schedule {due.schedule}",
            reason=reason,
        )
        context.controls.send(request.to_wire())
    return len(runs)


def _settle(due: ScheduleDue, schedule: Schedule, context: ScheduleContext) -> RequestOutcome:
    """A scan of the schedule ended: note its result, and keep the history within its limits."""
    runs = _load_runs(schedule, context)
    is_publishing = bool(_filter_runs(runs, ENDED_STATES - FINAL_STATES))
    removed = _prune_history(schedule, runs, context)
    if is_publishing and due.retry < MAX_SETTLE_RETRIES:
        return _send_again(due, "waits", context, SETTLE_RETRY_S)
    return _build_outcome(due, "settled", removed=removed)


def _prune_history(schedule: Schedule, runs: Sequence[RunWithScan], context: ScheduleContext) -> int:
    """Note the latest result, and remove ended scans beyond the limits, the oldest first.

    Returns their number.
    """
    succeeded = _filter_runs(runs, {ScanState.DONE})
    failed = _filter_runs(runs, FINAL_STATES - {ScanState.DONE})
    _note_latest_result(schedule, succeeded, context)
    excess = [
        *_runs_over_limit(succeeded, schedule.successful_limit),
        *_runs_over_limit(failed, schedule.failed_limit),
    ]
    for each in excess:
        removal = AgendaEntry(context.clock(), each.run.scan_id, AgendaTask.EXPIRE)
        context.scans.add_to_agenda(removal)
        context.schedules.end_run(each.run)
    for each in runs[:-1]:  # the latest run stays, so that a repeat of its message is recognized
        if each.scan is None and not each.is_active(context.clock()):
            context.schedules.forget_run(each.run)
    return len(excess)


def _filter_runs(runs: Sequence[RunWithScan], states: Set[ScanState]) -> list[RunWithScan]:
    return [each for each in runs if each.scan and each.scan.state in states]


def _note_latest_result(schedule: Schedule, succeeded: Sequence[RunWithScan], context: ScheduleContext) -> None:
    scan = succeeded[-1].scan if succeeded else None
    if scan and scan.finished_at:
        result = LatestResult(scan_id=scan.scan_id, finished_at=scan.finished_at, findings=scan.findings)
        context.schedules.record_result(schedule.name, result)


def _runs_over_limit(ended: list[RunWithScan], limit: int) -> list[RunWithScan]:
    return ended[: max(0, len(ended) - limit)]


def _announce_skip(
    due: ScheduleDue,
    schedule: Schedule,
    kind: str,
    reason: str,
    context: ScheduleContext,
    *,
    retried: bool,
) -> None:
    event_id = derive_event_id(schedule.name, to_wire(due.due_at), kind)
    context.bus.put(
        [
            ScheduleSkipped(
                scan_id=run_scan_id(schedule, due.due_at),
                cause_id=event_id,
                event_id=event_id,
                at=context.clock(),
                name=schedule.name,
                labels=schedule.labels,
                schedule=schedule.name,
                due_at=due.due_at,
                kind=kind,
                reason=reason,
                retried=retried,
            )
        ]
    )


def _build_outcome(
    due: ScheduleDue, outcome: str, scan_id: str = "", cancelled: int = 0, removed: int = 0
) -> RequestOutcome:
    return RequestOutcome(due.schedule, to_wire(due.due_at), outcome, scan_id, cancelled, removed)
