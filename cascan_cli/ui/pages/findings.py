"""/findings: the findings of all ended scans, the newest scan first, by words and filters."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from cascan.limits import CONSOLE_PAGE_ROWS, MAX_CONSOLE_ROWS, MAX_SEARCH_RESULTS
from cascan.queries.search import SearchText
from cascan_cli.errors import BadInput, CliError
from cascan_cli.input.finding_query import CHOICES, parse_finding_query
from cascan_cli.stack.search_stack import search_index, search_table
from cascan_cli.ui.console import Console, format_time, get_console
from cascan_cli.ui.listing import Filter, Listing, read_page_number, read_query, show_listing
from cascan_cli.ui.pages.cells import host_link, scan_link, severity_cell

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from cascan.queries.finding_query import FindingQuery
    from cascan.queries.search import SearchResult

COLUMNS = ("Severity", "Address", "Name", "Port", "Service", "Finding", "Category", "Scan", "Requested")
FIELDS = ("text", "severity", "host", "port", "service", "category", "since")
RESULTS_IN_AWS = 1_000  # without an index, each is read


def show_findings(request: Request) -> Response:
    query = read_query(request, *FIELDS)
    notes: list[str] = []
    results = _search(get_console(request), query, _count_needed(request), notes)
    listing = Listing(
        title="Findings",
        columns=COLUMNS,
        rows=map(_row, results),
        filters=(
            Filter("text", "Words", query["text"], hint="CVE-2021-44228, openssh 8.9"),
            Filter("severity", "Severity", query["severity"], tuple(CHOICES)),
            Filter("host", "Host", query["host"], hint="address, network or name"),
            Filter("port", "Port", query["port"], hint="22 or udp/53"),
            Filter("service", "Service", query["service"], hint="ssh"),
            Filter("category", "Category", query["category"], hint="Open Port"),
            Filter("since", "Since", query["since"], hint="7d or a date"),
        ),
        empty="No finding of an ended scan matches.",
        notes=notes,
    )
    return show_listing(request, listing)


def _count_needed(request: Request) -> int:
    """How many results the page or the export shows, and one more. Raises: BadInput: there is no such page."""
    if request.query_params.get("as"):
        return MAX_CONSOLE_ROWS
    return min(read_page_number(request) * CONSOLE_PAGE_ROWS + 1, MAX_SEARCH_RESULTS)


def _search(console: Console, query: dict[str, str], limit: int, notes: list[str]) -> list[SearchResult]:
    args = Namespace(
        severity=[query["severity"]] if query["severity"] else [],
        host=query["host"].split(),
        port=query["port"].split(),
        service=query["service"],
        category=query["category"],
        text="",
        since=query["since"] or None,
    )
    selection = parse_finding_query(args)
    try:
        text = SearchText.parse([query["text"]] if query["text"] else [])
    except ValueError as exc:
        raise BadInput(str(exc)) from exc
    if console.stack.is_local:
        return _search_index(console, text, selection, limit, notes)
    limit = min(limit, RESULTS_IN_AWS)
    return search_table(console.stack, text, selection, limit, shown=limit, say=notes.append)


def _search_index(
    console: Console, text: SearchText, selection: FindingQuery, limit: int, notes: list[str]
) -> list[SearchResult]:
    state_dir, updates = console.args.state_dir, console.recent.needs_index_update()
    try:
        return search_index(console.stack, state_dir, text, selection, limit, say=notes.append, updates=updates)
    except CliError:
        console.recent.forget()
        raise


def _row(result: SearchResult) -> tuple[object, ...]:
    return (
        severity_cell(result.severity),
        host_link(result.address),
        result.hostname,
        f"{result.protocol}/{result.port}" if result.port is not None else "",
        result.service,
        result.name,
        result.category,
        scan_link(result.scan, result.scan_name),
        format_time(result.requested_at),
    )
