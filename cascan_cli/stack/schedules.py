"""Scheduled scans of a stack: what is stored, when it runs next, and what operators change."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from cascan.clock import to_wire, utc_now
from cascan.errors import RequestRefused
from cascan.model.schedule import Schedule, ScheduledRun, StoredSchedule
from cascan.recovery.operator_records import record_schedule
from cascan.schedules.due import Kind, ScheduleDue, next_times, run_scan_id
from cascan.schedules.form import read_schedule
from cascan_cli.errors import BadInput
from cascan_cli.output.scan import scan_summary
from cascan_cli.stack.backup import back_up

if TYPE_CHECKING:
    from cascan_cli.stack.open import StackGateways


def store_schedule(document: dict[str, Any], schedule: Schedule, stack: StackGateways) -> StoredSchedule:
    """Store the manifest and register it with the scheduler.

    A schedule with an interval that never ran starts at once, as in secureCodeBox. After an
    interruption it is safe to store it again: the time when it is due stays the same, and so does
    the scan.
    """
    stored = stack.schedules.put_schedule(schedule.name, document)
    back_up(record_schedule, stack.operator_records, stack.schedules, schedule.name)
    stack.scheduler.put(schedule, stored.created_at, utc_now())
    starts_now = schedule.interval_minutes and schedule.starts_at_once and not schedule.suspend
    if starts_now and not stack.schedules.status(schedule.name).last_due_at:
        due = ScheduleDue(schedule=schedule.name, due_at=stored.stored_at.replace(microsecond=0))
        stack.schedule_queue.send(due.to_wire())
    return stored


def find_schedule(name: str, stack: StackGateways) -> StoredSchedule:
    stored = stack.schedules.schedule(name)
    if stored is None:
        raise BadInput(f"there is no schedule {name!r}; see cascan schedule list")
    return stored


def suspend_schedule(stored: StoredSchedule, stack: StackGateways, *, suspend: bool) -> StoredSchedule:
    """Pause the schedule or resume it, as its next version; scans that run go on."""
    document = stored.document | {"spec": stored.document["spec"] | {"suspend": suspend}}
    return store_schedule(document, read_stored_schedule(replace(stored, document=document)), stack)


def run_schedule_now(stored: StoredSchedule, stack: StackGateways) -> str:
    """Request a scan of the schedule. Returns the id of the scan."""
    schedule, due_at = read_stored_schedule(stored), utc_now().replace(microsecond=0)
    stack.schedule_queue.send(ScheduleDue(schedule=stored.name, due_at=due_at, kind=Kind.RUN_NOW).to_wire())
    return run_scan_id(schedule, due_at)


def summarize_or_explain(stored: StoredSchedule, stack: StackGateways, max_times: int = 1) -> dict[str, Any]:
    """The summary. The state of an unreadable schedule is the error, so that others are listed."""
    try:
        return summarize_schedule(stored, stack, max_times)
    except BadInput as exc:
        empty = dict.fromkeys(("when", "lastScheduleTime", "lastSuccessfulScan", "findings"))
        return empty | {
            "name": stored.name,
            "version": stored.version,
            "state": str(exc),
            "nextTimes": [],
        }


def read_stored_schedule(stored: StoredSchedule) -> Schedule:
    """Raises: BadInput: this version of cascan does not accept the manifest."""
    try:
        return read_schedule(stored.document, is_stored=True)
    except RequestRefused as exc:
        raise BadInput(f"{stored.name} was stored by another version and is refused; apply it again: {exc}") from exc


def summarize_schedule(stored: StoredSchedule, stack: StackGateways, max_times: int) -> dict[str, Any]:
    schedule, status = read_stored_schedule(stored), stack.schedules.status(stored.name)
    times = [] if schedule.suspend else islice(next_times(schedule, stored.created_at, utc_now()), max_times)
    result = status.last_result
    return {
        "name": schedule.name,
        "version": stored.version,
        "when": f"{schedule.cron} {schedule.time_zone}" if schedule.cron else f"every {schedule.interval_minutes} min",
        "state": "suspended" if schedule.suspend else "active",
        "nextTimes": [to_wire(time) for time in times],
        "lastScheduleTime": to_wire(status.last_schedule_time) if status.last_schedule_time else None,
        "lastSuccessfulScan": result.scan_id if result else None,
        "findings": result.findings if result else None,
    }


def summarize_run(run: ScheduledRun, stack: StackGateways) -> dict[str, Any]:
    scan = stack.table.get_scan(run.scan_id)
    return {
        "dueAt": to_wire(run.due_at),
        "id": run.scan_id,
        "scan": scan_summary(scan) if scan else None,
    }
