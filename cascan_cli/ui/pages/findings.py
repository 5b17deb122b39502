"""/findings: the findings of all ended scans, the newest scan first, by words and filters."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from cascan.formats.search_records import SearchedFindings
from cascan.limits import MAX_SEARCH_RESULTS
from cascan.queries.search import SearchText
from cascan_cli.errors import BadInput, CliError
from cascan_cli.input.finding_query import CHOICES, parse_finding_query
from cascan_cli.stack.search_stack import search_index, search_table
from cascan_cli.ui.console import Console, format_time, get_console
from cascan_cli.ui.list_page import count_needed, read_place, show_listing
from cascan_cli.ui.listing import Filter, Listing, Row, read_query
from cascan_cli.ui.pages.cells import host_link, scan_link, severity_cell

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from cascan.queries.finding_query import FindingQuery
    from cascan.queries.search import SearchResult

COLUMNS = ("Severity", "Address", "Name", "Port", "Service", "Finding", "Category", "Scan", "Requested")
FIELDS = ("text", "severity", "host", "port", "service", "category", "since")
RESULTS_IN_AWS = 1_000  # without an index, each is read
LAST_PLACE = 2**63 - 1


class Found(NamedTuple):
    place: str  # empty: it is not known
    result: SearchResult


class Part(NamedTuple):
    """Of the results: how many, and behind which place."""

    limit: int
    after: int | None


def show_findings(request: Request) -> Response:
    query = read_query(request, *FIELDS)
    notes: list[str] = []
    place = _read_place(request)
    limit = min(count_needed(request), MAX_SEARCH_RESULTS)
    console = get_console(request)
    text, selection = _parse(query)
    results = _search(console, text, selection, Part(limit, place), notes)
    searched = SearchedFindings(console.stack.table, text, selection)
    listing = Listing(
        title="Findings",
        columns=COLUMNS,
        rows=(Row(_to_cells(each.result), each.place) for each in results),
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
        is_behind=place is not None,
        records=lambda: searched.select_records(each.result for each in results),
    )
    return show_listing(request, listing)


def _read_place(request: Request) -> int | None:
    """Raises: BadInput: it is not the place of a finding."""
    text = read_place(request)
    if not text or not get_console(request).stack.is_local:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(LAST_PLACE)) and int(text) <= LAST_PLACE):
        raise BadInput(f"after {text!r:.40}: must be the place of a finding, as the links of the list have it")
    return int(text)


def _parse(query: dict[str, str]) -> tuple[SearchText, FindingQuery]:
    """Raises: BadInput: a filter is invalid."""
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
        return SearchText.parse([query["text"]] if query["text"] else []), selection
    except ValueError as exc:
        raise BadInput(str(exc)) from exc


def _search(
    console: Console, text: SearchText, selection: FindingQuery, part: Part, notes: list[str]
) -> Sequence[Found]:
    """The results; without an index, their places are not known."""
    if not console.stack.is_local:
        limit = min(part.limit, RESULTS_IN_AWS)
        results = search_table(console.stack, text, selection, limit, shown=limit, say=notes.append)
        return [Found("", result) for result in results]
    state_dir, updates = console.args.state_dir, console.recent.needs_index_update()
    try:
        found = search_index(
            console.stack,
            state_dir,
            text,
            selection,
            part.limit,
            after=-1 if part.after is None else part.after,
            say=notes.append,
            updates=updates,
        )
    except CliError:
        console.recent.forget()
        raise
    return [Found(str(each.place), each.result) for each in found]


def _to_cells(result: SearchResult) -> tuple[object, ...]:
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
