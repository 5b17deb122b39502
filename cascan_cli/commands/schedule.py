"""`cascan schedule list|show|pause|resume|run-now|delete`: scheduled scans and their runs."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from cascan.model.schedule import StoredSchedule
from cascan.recovery.operator_records import record_schedule
from cascan_cli.output.listing import Listing, print_listing
from cascan_cli.output.scan import format_changes
from cascan_cli.output.table import print_table
from cascan_cli.output.text import print_json, print_message
from cascan_cli.stack.backup import back_up
from cascan_cli.stack.open import StackGateways, open_stack
from cascan_cli.stack.schedules import (
    find_schedule,
    run_schedule_now,
    summarize_or_explain,
    summarize_run,
    summarize_schedule,
    suspend_schedule,
)

COLUMNS = ("SCHEDULE", "WHEN", "STATE", "NEXT", "LAST", "FINDINGS")
RUN_COLUMNS = ("DUE", "SCAN", "STATE", "OUTCOME", "FINDINGS", "CHANGES")
NEXT_SHOWN = 5


def run(args: Namespace) -> int:
    with open_stack(args) as stack:
        if args.action == "list":
            _list(stack, args)
        else:
            ACTIONS[args.action](find_schedule(args.schedule, stack), stack, args)
    return 0


def _list(stack: StackGateways, args: Namespace) -> None:
    summaries = [summarize_or_explain(stored, stack) for stored in stack.schedules.schedules()]
    if not summaries and not args.json:
        print_message("no schedule is stored: cascan apply stores ScheduledScan manifests")
    listing = Listing(
        title="schedules",
        unit="schedule",
        items=summaries,
        columns=COLUMNS,
        to_row=_to_row,
        to_json=dict,
        drop=("LAST", "FINDINGS"),
        whole=("SCHEDULE",),
    )
    print_listing(listing, args)


def _to_row(summary: dict[str, Any]) -> tuple[object, ...]:
    return (
        summary["name"],
        summary["when"] or "",
        summary["state"],
        next(iter(summary["nextTimes"]), ""),
        summary["lastScheduleTime"] or "",
        summary["findings"].count if summary["findings"] else "",
    )


def _show(stored: StoredSchedule, stack: StackGateways, args: Namespace) -> None:
    summary, runs = summarize_schedule(stored, stack, NEXT_SHOWN), list(stack.schedules.runs(stored.name))
    if args.json:
        print_json(summary | {"manifest": stored.document, "runs": [summarize_run(run, stack) for run in runs]})
        return
    print(f"{summary['name']}: {summary['when']}, {summary['state']}, version {summary['version']}")
    for time in summary["nextTimes"]:
        print(f"next  {time}")
    rows = (_run_row(summarize_run(run, stack)) for run in reversed(runs))
    print_table(RUN_COLUMNS, rows, drop=("CHANGES", "FINDINGS"), whole=("SCAN",))
    if runs:
        print_message(f"changes since the run before: cascan diff {stored.name}")


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
    changed = suspend_schedule(stored, stack, suspend=suspend)
    state = "paused; running scans go on" if suspend else "active"
    _print(summarize_schedule(changed, stack, 1), f"{stored.name} is {state}", args)


def _run_now(stored: StoredSchedule, stack: StackGateways, args: Namespace) -> None:
    scan_id = run_schedule_now(stored, stack)
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


def _print(value: dict[str, Any], sentence: str, args: Namespace) -> None:
    if args.json:
        print_json(value)
    else:
        print(sentence)
