"""/schedules and /schedules/NAME: scheduled scans, with their next times and their runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException

from cascan_cli.errors import BadInput
from cascan_cli.output.scan import format_changes
from cascan_cli.stack.schedules import run_schedule_now, summarize_or_explain, summarize_run, suspend_schedule
from cascan_cli.ui.audit import act
from cascan_cli.ui.console import Console, get_console, get_form, go_to
from cascan_cli.ui.list_page import show_listing
from cascan_cli.ui.listing import Cell, Listing, link
from cascan_cli.ui.pages.cells import scan_link

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from cascan.model.schedule import StoredSchedule

COLUMNS = ("Schedule", "When", "State", "Next", "Last", "Findings", "Latest scan")
RUN_COLUMNS = ("Due", "Scan", "State", "Outcome", "Findings", "Changes")
NEXT_SHOWN = 5
VERBS = {"run-now": "run schedule now", "pause": "pause schedule", "resume": "resume schedule"}


def show_schedules(request: Request) -> Response:
    stack = get_console(request).stack
    summaries = (summarize_or_explain(stored, stack) for stored in stack.schedules.schedules())
    listing = Listing(
        title="Schedules",
        columns=COLUMNS,
        rows=map(_row, summaries),
        empty="No schedule is stored. `cascan apply` stores ScheduledScan manifests.",
    )
    return show_listing(request, listing)


def _row(summary: dict[str, Any]) -> tuple[object, ...]:
    findings = summary["findings"]
    return (
        Cell(summary["name"], link("schedules", summary["name"])),
        summary["when"],
        Cell(summary["state"], mark="good" if summary["state"] == "active" else "medium"),
        next(iter(summary["nextTimes"]), ""),
        summary["lastScheduleTime"],
        findings.count if findings else "",
        scan_link(summary["lastSuccessfulScan"] or ""),
    )


def show_schedule(request: Request) -> Response:
    console = get_console(request)
    stored = _get(console, request)
    stack = console.stack
    runs = reversed(list(stack.schedules.runs(stored.name)))
    listing = Listing(
        title=f"Schedule {stored.name}",
        columns=RUN_COLUMNS,
        rows=(_run_row(summarize_run(run, stack)) for run in runs),
        empty="It has not run yet.",
    )
    summary = summarize_or_explain(stored, stack, NEXT_SHOWN)
    return show_listing(request, listing, "schedule.html", schedule=summary)


def _run_row(run: dict[str, Any]) -> tuple[object, ...]:
    scan = run["scan"]
    if scan is None:
        return run["dueAt"], run["id"], "not found", "", "", ""
    findings, changes = scan["findings"]["count"], format_changes(scan["changes"])
    return run["dueAt"], scan_link(run["id"]), scan["state"], scan["outcome"], findings, changes


def change_schedule(request: Request) -> Response:
    """The buttons of a schedule. Raises: BadInput: there is no such action, or the manifest cannot be read."""
    console, action = get_console(request), get_form(request).get("action", "")
    stored = _get(console, request)
    if action not in VERBS:
        raise BadInput(f"action {action!r:.40}: must be one of {', '.join(VERBS)}")
    sentence = act(console, VERBS[action], stored.name, _prepare(action, stored, console))
    return go_to(request, link("schedules", stored.name), sentence)


def _prepare(action: str, stored: StoredSchedule, console: Console) -> Callable[[], str]:
    def run_now() -> str:
        scan_id = run_schedule_now(stored, console.stack)
        console.note_requested(scan_id)
        return f"Scan {scan_id} was requested."

    def suspend() -> str:
        suspend_schedule(stored, console.stack, suspend=action == "pause")
        return "The schedule is paused; running scans go on." if action == "pause" else "The schedule is active."

    return run_now if action == "run-now" else suspend


def _get(console: Console, request: Request) -> StoredSchedule:
    """Raises: HTTPException: there is none."""
    name = request.path_params["name"]
    stored = console.stack.schedules.schedule(name)
    if stored is None:
        raise HTTPException(404, f"There is no schedule {name[:60]}.")
    return stored
