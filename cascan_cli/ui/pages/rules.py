"""/rules and /rules/NAME: cascading rules, and what one would start for a scan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml
from starlette.exceptions import HTTPException

from cascan.cascades.bundled_rules import read_bundled_rules
from cascan.cascades.pinned_rules import load_current_rules
from cascan_cli.rehearsal.rehearse import describe_decision, rehearse_on_scan
from cascan_cli.stack.find_scan import find_scan
from cascan_cli.ui.console import Console, get_console
from cascan_cli.ui.list_page import show_listing
from cascan_cli.ui.listing import Cell, Filter, Listing, link, read_query

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from cascan.cascades.decision import Decision
    from cascan.model.cascade import StoredRule

COLUMNS = ("Rule", "Source", "Labels", "Scan")
DECISION_COLUMNS = ("Decision", "Rule", "Findings", "Scan", "Reason")
DRY_RUN = "Dry run on scan"
EVERY_RULE = "every rule"


def show_rules(request: Request) -> Response:
    console, query = get_console(request), read_query(request, "scan")
    filters = (Filter("scan", DRY_RUN, query["scan"], hint="an id, a series or latest"),)
    if query["scan"]:
        return show_listing(request, _rehearse(console, [], query["scan"], filters))
    stack = console.stack
    listing = Listing(
        title="Cascading rules",
        columns=COLUMNS,
        rows=(_row(rule, console) for rule in load_current_rules(stack.rules, read_bundled_rules).values()),
        filters=filters,
        empty="No rule is stored or bundled.",
    )
    return show_listing(request, listing)


def _row(rule: StoredRule, console: Console) -> tuple[object, ...]:
    spec = rule.document["spec"]["scanSpec"]
    labels = rule.document["metadata"].get("labels") or {}
    bundled = f"bundled, {console.stack.outputs.get('CascadingRules', 'disabled')}"
    return (
        Cell(rule.name, link("rules", rule.name)),
        f"version {rule.version}" if rule.version else bundled,
        " ".join(f"{key}={value}" for key, value in labels.items()),
        " ".join([spec["scanType"], *spec.get("parameters", [])]),
    )


def show_rule(request: Request) -> Response:
    """The rule; with a scan in the address, what it would start for that scan."""
    console, query, name = get_console(request), read_query(request, "scan"), request.path_params["name"]
    rule = load_current_rules(console.stack.rules, read_bundled_rules).get(name)
    if rule is None:
        raise HTTPException(404, f"There is no rule {name[:60]}.")
    filters = (Filter("scan", DRY_RUN, query["scan"], hint="an id, a series or latest"),)
    if query["scan"]:
        listing = _rehearse(console, [name], query["scan"], filters)
    else:
        listing = Listing(
            "Dry run", DECISION_COLUMNS, (), filters, empty="Name a scan to see what the rule would start."
        )
    text = yaml.safe_dump(rule.document, sort_keys=False, allow_unicode=True)
    return show_listing(request, listing, "rule.html", name=name, lines=text.splitlines())


def _rehearse(console: Console, names: list[str], scan_name: str, filters: tuple[Filter, ...]) -> Listing:
    """Raises: BadInput: there is no such scan or rule."""
    scan = find_scan(console.stack.table, scan_name)
    decisions = rehearse_on_scan(console.stack, scan, names, console.args)
    return Listing(
        title=f"Dry run of {', '.join(names) or EVERY_RULE} on scan {scan.name}",
        columns=DECISION_COLUMNS,
        rows=map(_decision_row, decisions),
        filters=filters,
        empty="No finding of the scan matches.",
        notes=["Nothing is started. The scan is treated as if it had asked for cascades."],
    )


def _decision_row(decision: Decision) -> tuple[object, ...]:
    child = decision.child.name if decision.child else ""
    return decision.kind, decision.rule, decision.count, child, describe_decision(decision)
