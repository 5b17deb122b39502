"""`cascan schedule list|show|pause|resume|run-now|delete`: scheduled scans and their runs."""

from __future__ import annotations

from argparse import Namespace
from itertools import islice
from typing import Any

from msgspec.structs import replace

from cascan.clock import to_wire, utc_now
from cascan.errors import RequestRefused
from cascan.model.schedule import Schedule, ScheduledRun, StoredSchedule
from cascan.recovery.operator_records import record_schedule
from cascan.schedules.due import Kind, ScheduleDue, next_times, run_scan_id
from cascan.schedules.form import read_schedule
from cascan_cli.errors import BadInput
from cascan_cli.output.scan import format_changes, scan_summary
from cascan_cli.output.table import print_table
from cascan_cli.output.text import print_json, print_message
from cascan_cli.stack.backup import back_up
from cascan_cli.stack.open import StackGateways, open_stack

COLUMNS = ("SCHEDULE", "WHEN", "STATE", "NEXT", "LAST", "FINDINGS")
RUN_COLUMNS = ("DUE", "SCAN", "STATE", "OUTCOME", "FINDINGS", "CHANGES")
NEXT_SHOWN = 5


def run(args: Namespace) -> int:
    with open_stack(args) as stack:
        if args.action == "list":
            _list(stack, as_json=args.json)
        else:
            ACTIONS[args.action](_find_schedule(args.schedule, stack), stack, args)
    return 0


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


def _list(stack: StackGateways, *, as_json: bool) -> None:
    rows = [_summary_or_error(stored, stack) for stored in stack.schedules.schedules()]
    if as_json:
        print_json(rows)
        return
    if not rows:
        print_message("no schedule is stored: cascan apply stores ScheduledScan manifests")
    print_table(
        COLUMNS,
        (
            (
                row["name"],
                row["when"] or "",
                row["state"],
                next(iter(row["nextTimes"]), ""),
                row["lastScheduleTime"] or "",
                row["findings"].count if row["findings"] else "",
            )
            for row in rows
        ),
        drop=("LAST", "FINDINGS"),
        whole=("SCHEDULE",),
    )


def _summary_or_error(stored: StoredSchedule, stack: StackGateways) -> dict[str, Any]:
    """The summary. The state of an unreadable schedule is the error, so that others are listed."""
    try:
        return _summary(stored, stack, 1)
    except BadInput as exc:
        empty = dict.fromkeys(("when", "lastScheduleTime", "lastSuccessfulScan", "findings"))
        return empty | {
            "name": stored.name,
            "version": stored.version,
            "state": str(exc),
            "nextTimes": [],
        }


def _read(stored: StoredSchedule) -> Schedule:
    """Raises: BadInput: this version of cascan does not accept the manifest."""
    try:
        return read_schedule(stored.document, is_stored=True)
    except RequestRefused as exc:
        raise BadInput(f"{stored.name} was stored by another version and is refused; apply it again: {exc}") from exc


def _summary(stored: StoredSchedule, stack: StackGateways, max_times: int) -> dict[str, Any]:
    schedule, status = _read(stored), stack.schedules.status(stored.name)
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


def _show(stored: StoredSchedule, stack: StackGateways, args: Namespace) -> None:
    summary, runs = _summary(stored, stack, NEXT_SHOWN), list(stack.schedules.runs(stored.name))
    if args.json:
        print_json(summary | {"manifest": stored.document, "runs": [_run_summary(run, stack) for run in runs]})
        return
    print(f"{summary['name']}: {summary['when']}, {summary['state']}, version {summary['version']}")
    for time in summary["nextTimes"]:
        print(f"next  {time}")
    rows = (_run_row(_run_summary(run, stack)) for run in reversed(runs))
    print_table(RUN_COLUMNS, rows, drop=("CHANGES", "FINDINGS"), whole=("SCAN",))
    if runs:
        print_message(f"changes since the run before: cascan diff {stored.name}")


def _run_summary(run: ScheduledRun, stack: StackGateways) -> dict[str, Any]:
    scan = stack.table.get_scan(run.scan_id)
    return {
        "dueAt": to_wire(run.due_at),
        "id": run.scan_id,
        "scan": scan_summary(scan) if scan else None,
    }


def _run_row(run: dict[str, Any]) -> tuple[object, ...]:
    scan = run["scan"]
    if scan is None:
        return (run["dueAt"], run["id"], "not found", "", "", "")
    changes = format_changes(scan["changes"])
    return (
        run["dueAt"],
        run["id"],
        scan["state"],
        scan["outcome"] or "",
        scan["findings"]["count"],
        changes,
    )


def _suspend(stored: StoredSchedule, stack: StackGateways, args: Namespace) -> None:
    suspend = args.action == "pause"
    document = stored.document | {"spec": stored.document["spec"] | {"suspend": suspend}}
    schedule = _read(replace(stored, document=document))
    changed = store_schedule(document, schedule, stack)
    state = "paused; running scans go on" if suspend else "active"
    _print(_summary(changed, stack, 1), f"{stored.name} is {state}", args)


def _run_now(stored: StoredSchedule, stack: StackGateways, args: Namespace) -> None:
    schedule, due_at = _read(stored), utc_now().replace(microsecond=0)
    stack.schedule_queue.send(ScheduleDue(schedule=stored.name, due_at=due_at, kind=Kind.RUN_NOW).to_wire())
    scan_id = run_scan_id(schedule, due_at)
    _print({"name": stored.name, "id": scan_id}, f"requested scan {scan_id}", args)


def _delete(stored: StoredSchedule, stack: StackGateways, args: Namespace) -> None:
    stack.scheduler.delete(stored.name)
    stack.schedules.delete_schedule(stored.name)
    back_up(record_schedule, stack.operator_records, stack.schedules, stored.name)
    _print(
        {"name": stored.name, "deleted": True},
        f"{stored.name} is deleted; its scans are kept",
        args,
    )


ACTIONS = {
    "show": _show,
    "pause": _suspend,
    "resume": _suspend,
    "run-now": _run_now,
    "delete": _delete,
}


def _find_schedule(name: str, stack: StackGateways) -> StoredSchedule:
    stored = stack.schedules.schedule(name)
    if stored is None:
        raise BadInput(f"there is no schedule {name!r}; see cascan schedule list")
    return stored


def _print(value: dict[str, Any], sentence: str, args: Namespace) -> None:
    if args.json:
        print_json(value)
    else:
        print(sentence)
