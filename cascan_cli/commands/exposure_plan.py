"""`cascan exposure plan`: what a file would change, against the one that is applied."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cascan.clock import utc_now
from cascan.exposure.check import CheckedPort
from cascan.exposure.plan import Action, EntryChange, ExposurePlan, build_plan
from cascan_cli.commands.exposure_check import LooksOfCommand, open_looks, print_warnings
from cascan_cli.input.exposure_file import load_exposure_file, parse_exposure_text
from cascan_cli.output.exposure import to_json
from cascan_cli.output.history import format_port
from cascan_cli.output.text import pluralize, print_json, printable

if TYPE_CHECKING:
    from cascan.exposure.expectations import ExposureFile


def run(args: Namespace) -> int:
    """Exit code 0. 2: a file is invalid."""
    file = load_exposure_file(args.file)
    against = load_exposure_file(args.against) if args.against else None
    at = utc_now()
    print_warnings(args.file, file, at)
    with open_looks(args) as looks:
        before = against or _read_applied(looks)
        checked_before = looks.check(before, at) if before else []
        plan = build_plan(before, file, checked_before, looks.check(file, at))
    if args.json:
        print_json(_to_json(plan))
        return 0
    for line in render_plan(plan):
        print(printable(line))
    return 0


def _read_applied(looks: LooksOfCommand) -> ExposureFile | None:
    """The file that the stack has applied; None: none, or the looks come from reports."""
    stored = looks.stack.table.expectations() if looks.stack else None
    return parse_exposure_text("the applied file", stored.text) if stored else None


def render_plan(plan: ExposurePlan) -> Iterator[str]:
    """One line for each difference; the last one has the counts."""
    for change in plan.entries:
        yield from _render_change(change)
    for port in plan.opens:
        yield f"  opens     {_describe(port)}"
    for port in plan.resolves:
        yield f"  resolves  {_describe(port)}"
    if plan.is_empty:
        yield "No changes."
        return
    entries = f"{plan.count(Action.ADD)} to add, {plan.count(Action.CHANGE)} to change"
    exposures = f"{pluralize(len(plan.opens), 'exposure')} would open, {len(plan.resolves)} would resolve"
    yield f"Plan: {entries}, {plan.count(Action.REMOVE)} to remove; {exposures}."


def _render_change(change: EntryChange) -> Iterator[str]:
    line = f"  (line {change.line})" if change.line else ""
    yield f"{change.action} {change.subject}{line}"
    for field in change.changes:
        yield f"    {field.field}: {field.before or 'none'} -> {field.after or 'none'}"


def _describe(port: CheckedPort) -> str:
    subject = f"{port.address or port.name} {format_port(port.key)} from {port.vantage}"
    confirmation = "" if port.is_confirmed else " (not confirmed)"
    return f"{port.verdict.kind}: {subject}: {port.verdict.sentence}{confirmation}"


def _to_json(plan: ExposurePlan) -> dict[str, Any]:
    return {
        "entries": [
            {
                "action": change.action.name.lower(),
                "entry": change.subject,
                "line": change.line,
                "changes": [
                    {"field": field.field, "before": field.before, "after": field.after} for field in change.changes
                ],
            }
            for change in plan.entries
        ],
        "opens": [to_json(port) for port in plan.opens],
        "resolves": [to_json(port) for port in plan.resolves],
    }
