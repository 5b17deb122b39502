"""A schedule is due → its scan is asked for, unless something stands against it; the scans it had before are tidied."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from cascan.clock import Clock, to_wire
from cascan.errors import UnreadableItem
from cascan.events import ScheduleSkipped
from cascan.events.control import Action, ControlRequested
from cascan.gateways import EventBus, IssuedRequests, RequestQueue, ScanTable, ScheduleTable
from cascan.ids import derive_event_id
from cascan.limits import MAX_SETTLE_RETRIES, PLANNING_GRACE_S, SCHEDULE_RETRY_S, SETTLE_RETRY_S
from cascan.model.agenda import AgendaEntry, AgendaTask
from cascan.model.scan import FINAL_STATES, Scan, ScanState
from cascan.model.schedule import Concurrency, LatestResult, Schedule, ScheduledRun
from cascan.scans.close import ENDED_STATES
from cascan.schedules.due import Kind, ScheduleDue, build_run_request, is_blacked_out, run_scan_id
from cascan.schedules.form import read_schedule


@dataclass(frozen=True, slots=True)
class ScheduleContext:
    """What the work reaches for."""

    schedules: ScheduleTable
    scans: ScanTable
    issued: IssuedRequests
    requests: RequestQueue
    controls: RequestQueue
    delayed: RequestQueue  # what is sent there comes back to the schedule queue, with a tick
    bus: EventBus
    clock: Clock


@dataclass(frozen=True, slots=True)
class RequestOutcome:
    """What came of the message, for the log."""

    schedule: str
    due_at: str
    # asked, settled, waits; or why nothing started: deleted, suspended, unasked, overtaken, blackout, running
    outcome: str
    scan_id: str = ""
    cancelled: int = 0
    removed: int = 0


class RunWithScan(NamedTuple):
    """A run and its scan; None: it is not planned yet, or gone."""

    run: ScheduledRun
    scan: Scan | None


def request_scan(due: ScheduleDue, context: ScheduleContext) -> RequestOutcome:
    """Ask for the scan of this time; a repeat asks for the same scan with the same bytes.

    Raises: RequestRefused: what is stored is no schedule that this version reads.
    """
    stored = context.schedules.schedule(due.schedule)
    if stored is None:
        return _answer(due, "deleted")
    schedule = read_schedule(stored.document, is_stored=True)
    if due.kind is Kind.SETTLE:
        return _settle(due, schedule, context)
    if why := _stands_against(due, schedule, context):
        return _answer(due, why)
    known = _known(schedule, context)
    scan_id = run_scan_id(schedule, due.due_at)
    earlier = [one for one in known if one.run.scan_id != scan_id and _is_running(one, context)]
    is_repeat = any(one.run.scan_id == scan_id for one in known)
    cancelled = 0
    if earlier and not is_repeat:
        if schedule.concurrency is Concurrency.FORBID:
            return _pass_over(due, schedule, earlier, context)
        if schedule.concurrency is Concurrency.REPLACE:
            if not all(one.scan for one in earlier):  # what is not planned yet cannot be cancelled
                return _put_back(due, "waits", context)
            cancelled = _cancel(earlier, due, context)
    run = context.schedules.add_run(
        ScheduledRun(
            schedule=schedule.name,
            due_at=due.due_at,
            scan_id=scan_id,
            asked_at=context.clock(),
            body=json.dumps(build_run_request(schedule, due.due_at)),
        )
    )
    if not run.ended:  # its scan was kept no longer: a late repeat does not bring it back
        context.issued.issue(run.scan_id, run.body)
        context.requests.send(run.body)
    return _answer(due, "asked", scan_id, cancelled, prune_history(schedule, known, context))


def _stands_against(due: ScheduleDue, schedule: Schedule, context: ScheduleContext) -> str:
    """Why nothing starts, whatever else runs; empty: nothing does."""
    if due.kind is Kind.RETRIGGER and not schedule.retrigger:
        return "unasked"
    if due.kind is not Kind.RUN_NOW and schedule.suspend:
        return "suspended"
    if not context.schedules.record_due(schedule.name, due.due_at):
        return "overtaken"
    if due.kind is not Kind.RUN_NOW and is_blacked_out(schedule, due.due_at):
        _announce(due, schedule, "blackout", "nothing starts on this date", context, retried=False)
        return "blackout"
    return ""


def _known(schedule: Schedule, context: ScheduleContext) -> list[RunWithScan]:
    """Its runs, the oldest first."""
    known: list[RunWithScan] = []
    for run in context.schedules.runs(schedule.name):
        with suppress(UnreadableItem):  # told; nobody can say whether it runs, so it holds nothing back and is kept
            known.append(RunWithScan(run, None if run.ended else context.scans.get_scan(run.scan_id)))
    return known


def _is_running(one: RunWithScan, context: ScheduleContext) -> bool:
    if one.scan:
        return one.scan.state not in ENDED_STATES
    return not one.run.ended and context.clock() - one.run.asked_at < timedelta(seconds=PLANNING_GRACE_S)


def _pass_over(
    due: ScheduleDue, schedule: Schedule, earlier: Sequence[RunWithScan], context: ScheduleContext
) -> RequestOutcome:
    running = ", ".join(one.run.scan_id for one in earlier[:3])
    if not due.retry:
        reason = f"concurrencyPolicy is Forbid, and {running} still runs"
        _announce(due, schedule, "running", reason, context, retried=True)
    return _put_back(due, "running", context)


def _put_back(
    due: ScheduleDue, outcome: str, context: ScheduleContext, delay_s: int = SCHEDULE_RETRY_S
) -> RequestOutcome:
    """Have the message come again; one that says what is due, until a later time of the schedule overtakes it."""
    again = ScheduleDue(schedule=due.schedule, due_at=due.due_at, kind=due.kind, retry=due.retry + 1)
    context.delayed.send(again.to_wire(), delay_s=delay_s)
    return _answer(due, outcome)


def _cancel(earlier: Sequence[RunWithScan], due: ScheduleDue, context: ScheduleContext) -> int:
    for one in earlier:
        reason = f"replaced by the scan that was due at {to_wire(due.due_at)}"
        asked = ControlRequested(
            action=Action.CANCEL, scan_id=one.run.scan_id, by=f"schedule {due.schedule}", reason=reason
        )
        context.controls.send(asked.to_wire())
    return len(earlier)


def _settle(due: ScheduleDue, schedule: Schedule, context: ScheduleContext) -> RequestOutcome:
    """A scan of it ended: note what it found, and keep the history within its limits."""
    known = _known(schedule, context)
    publishing = [one for one in known if one.scan and one.scan.state in ENDED_STATES - FINAL_STATES]
    removed = prune_history(schedule, known, context)
    if publishing and due.retry < MAX_SETTLE_RETRIES:
        return _put_back(due, "waits", context, SETTLE_RETRY_S)
    return _answer(due, "settled", removed=removed)


def prune_history(schedule: Schedule, known: Sequence[RunWithScan], context: ScheduleContext) -> int:
    """Note the latest result; have ended scans beyond the limits removed, the oldest first. How many those are."""
    succeeded = [one for one in known if one.scan and one.scan.state is ScanState.DONE]
    failed = [one for one in known if one.scan and one.scan.state in FINAL_STATES - {ScanState.DONE}]
    if succeeded and (scan := succeeded[-1].scan) and scan.finished_at:
        result = LatestResult(scan_id=scan.scan_id, finished_at=scan.finished_at, findings=scan.findings)
        context.schedules.record_result(schedule.name, result)
    beyond = [*_runs_over_limit(succeeded, schedule.successful_limit), *_runs_over_limit(failed, schedule.failed_limit)]
    for one in beyond:
        context.scans.add_to_agenda(AgendaEntry(context.clock(), one.run.scan_id, AgendaTask.EXPIRE))
        context.schedules.end_run(one.run)
    latest = known[-1].run if known else None
    for one in known:  # the latest stays as a mark: its message may come twice
        if one.scan is None and one.run is not latest and not _is_running(one, context):
            context.schedules.forget_run(one.run)
    return len(beyond)


def _runs_over_limit(ended: list[RunWithScan], limit: int) -> list[RunWithScan]:
    return ended[: max(0, len(ended) - limit)]


def _announce(
    due: ScheduleDue, schedule: Schedule, kind: str, reason: str, context: ScheduleContext, *, retried: bool
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


def _answer(due: ScheduleDue, outcome: str, scan_id: str = "", cancelled: int = 0, removed: int = 0) -> RequestOutcome:
    return RequestOutcome(due.schedule, to_wire(due.due_at), outcome, scan_id, cancelled, removed)
