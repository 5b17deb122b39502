"""/scans/ID: one scan, live while it runs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException

from cascan.events.control import Action
from cascan.findings.redact import redact_finding, redact_parameters
from cascan.formats.registry import FORMATS
from cascan.formats.select_records import select_scan_records
from cascan.ids import SCAN_ID
from cascan.limits import MAX_CONSOLE_SHARDS, MAX_CONSOLE_TREE
from cascan.model.scan import FINAL_STATES, Scan
from cascan.queries.cascade_tree import CascadeReader
from cascan.queries.describe_detail import describe_detail
from cascan.queries.finding_query import FindingQuery
from cascan.queries.read_findings import read_findings
from cascan.queries.scan_progress import read_live_shards
from cascan.rules.severity import to_count_key
from cascan_cli.errors import BadInput
from cascan_cli.output.progress import describe_live
from cascan_cli.output.scan import describe_permission, format_cost, format_reason
from cascan_cli.output.scan_page import SHOWN_TARGETS
from cascan_cli.output.text import shorten_list
from cascan_cli.stack.control_scan import find_obstacle, send_control
from cascan_cli.ui.audit import act
from cascan_cli.ui.console import Console, get_console, get_form, go_to
from cascan_cli.ui.list_files import send_records
from cascan_cli.ui.list_page import show_listing
from cascan_cli.ui.listing import Listing, link, make_section
from cascan_cli.ui.live import Part, stream_part
from cascan_cli.ui.pages.cells import CHANGE_COLUMNS, change_row, find_address, host_link, severity_cell

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from cascan.model.finding import Finding

POLL_S, POLL_IN_AWS_S = 0.5, 3.0
CONTROLS = {action.value: action for action in (Action.SUSPEND, Action.RESUME, Action.CANCEL)}
PLANNED_WITHIN_S = 60.0
MAX_SHARDS_QUERIED = 50  # of a wider scan the number of its shards is progress enough
FINDING_COLUMNS = ("Severity", "Address", "Location", "Finding", "Category", "Detail")


def find_scan(console: Console, scan_id: str) -> Scan:
    """Raises: HTTPException: there is no such scan."""
    scan = console.stack.table.get_scan(scan_id) if SCAN_ID.fullmatch(scan_id) else None
    if scan is None:
        raise HTTPException(404, f"There is no scan {scan_id[:40]}.")
    return scan


def show_scan(request: Request) -> Response:
    console, scan_id = get_console(request), request.path_params["scan_id"]
    if scan_id in console.requested and console.stack.table.get_scan(scan_id) is None:
        waited = console.clock() - console.requested[scan_id]
        is_late = waited.total_seconds() > PLANNED_WITHIN_S
        return console.render(request, "scan_requested.html", place=link("scans", scan_id), is_late=is_late)
    scan = find_scan(console, scan_id)
    form = request.query_params.get("as", "")
    if form:
        records = select_scan_records(console.stack.table, scan, FindingQuery())
        return send_records(request, f"{scan.name}, scan {scan.scan_id}", records, form)
    table = console.stack.table
    listing = Listing(
        title=f"Scan {scan.name}",
        columns=FINDING_COLUMNS,
        rows=map(partial(_finding_row, console.clock()), read_findings(scan, table)),
        empty="No finding is stored.",
    )
    changed = console.list_changes(_list_members(console, scan), MAX_CONSOLE_SHARDS)
    changes = (change_row(scan, change) for scan, change in changed)
    return show_listing(
        request,
        listing,
        "scan.html",
        scan=scan,
        live=f"{link('scans', scan.scan_id)}/live" if scan.state not in FINAL_STATES else "",
        formats={listed.name: listed.title for listed in FORMATS.values()},
        place=link("scans", scan.scan_id),
        controls=[action.value for action in CONTROLS.values() if not find_obstacle(action, scan)],
        changes=make_section("Changes since earlier scans", CHANGE_COLUMNS, changes),
        tree=_read_tree(console, scan),
        **_describe(console, scan),
    )


def _list_members(console: Console, scan: Scan) -> Iterable[Scan]:
    """The scan itself, or the scans that it consists of."""
    return filter(None, map(console.stack.table.get_scan, scan.members)) if scan.members else (scan,)


def _finding_row(now: datetime, stored: Finding) -> tuple[object, ...]:
    finding = redact_finding(stored)
    return (
        severity_cell(to_count_key(finding)),
        host_link(find_address(finding)),
        finding.location,
        finding.name,
        finding.category,
        describe_detail(finding, now),
    )


def _read_tree(console: Console, scan: Scan) -> dict[str, Any] | None:
    """The scans that followed it, and its members. None: there are none."""
    reader = CascadeReader(console.stack.table, console.stack.cascades, MAX_CONSOLE_TREE)
    tree = reader.read(scan)
    return tree if tree["children"] or tree["members"] or tree["notFollowed"] else None


def control_scan(request: Request) -> Response:
    """The buttons of a running scan. Raises: BadInput: there is no such action, or it is not possible."""
    console, name = get_console(request), get_form(request).get("action", "")
    scan = find_scan(console, request.path_params["scan_id"])
    if name not in CONTROLS:
        raise BadInput(f"action {name!r:.40}: must be one of {', '.join(CONTROLS)}")
    action = CONTROLS[name]

    def send() -> str:
        if obstacle := find_obstacle(action, scan):
            raise BadInput(f"scan {scan.scan_id} ({scan.name}) {obstacle}")
        send_control(action, scan.scan_id, console.stack, "in the console")
        return f"The request to {action} the scan was sent; the page shows its effect."

    sentence = act(console, f"{action} scan", f"{scan.scan_id} {scan.name}", send)
    return go_to(request, link("scans", scan.scan_id), sentence)


def _describe(console: Console, scan: Scan) -> dict[str, Any]:
    """What the head of the page shows, and the live part replaces."""
    reasons = [(reason.code, format_reason(reason)) for reason in scan.reasons.listed]
    return {
        "progress": _describe_progress(console, scan),
        "reasons": reasons,
        "more_reasons": max(0, scan.reasons.count - len(reasons)),
        "cost": format_cost(scan),
        "targets": shorten_list(scan.request.targets, SHOWN_TARGETS) if scan.request else "",
        "options": " ".join(redact_parameters(scan.request.parameters)) if scan.request else "",
        "permission": describe_permission(scan.request) if scan.request else "",
    }


def _describe_progress(console: Console, scan: Scan) -> str:
    """What nmap does now; empty if no shard runs, or there are too many to ask."""
    if scan.shards > MAX_SHARDS_QUERIED or not scan.shards_in_flight:
        return ""
    return describe_live(scan, read_live_shards(scan, console.stack.table))


def stream_scan(request: Request) -> Response:
    """Server-sent events: the head of the page each time it changes, until the scan has ended."""
    console, scan_id = get_console(request), request.path_params["scan_id"]
    find_scan(console, scan_id)

    def read() -> Part:
        scan = find_scan(console, scan_id)
        has_ended, place = scan.state in FINAL_STATES, link("scans", scan_id)
        if has_ended:
            console.recent.forget()
        described = _describe(console, scan)
        html = console.render_text("scan_head.html", scan=scan, has_ended=has_ended, place=place, **described)
        return Part(html, has_ended)

    return stream_part(console, read, POLL_S if console.stack.is_local else POLL_IN_AWS_S)
