"""/scans: all scans, the newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from cascan.limits import MAX_CONSOLE_SCANS
from cascan.model.scan import Outcome, ScanState
from cascan.queries.list_scans import find_place, format_cursor, parse_cursor
from cascan_cli.errors import BadInput
from cascan_cli.ui.console import get_console
from cascan_cli.ui.list_page import build_page, count_needed, read_place, show_listing
from cascan_cli.ui.listing import Filter, Listing, Row, read_query
from cascan_cli.ui.live import Part, stream_part
from cascan_cli.ui.pages.cells import SCAN_COLUMNS, scan_row

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from cascan.gateways import ScanPlace
    from cascan.model.scan import Scan

POLL_S = 2.0


def show_scans(request: Request) -> Response:
    query = urlencode({key: value for key, value in request.query_params.items() if key != "as"})
    return show_listing(request, _build(request), "scans.html", live=f"/scans/live?{query}")


def stream_scans(request: Request) -> Response:
    """Server-sent events: the rows of the list, each time one of them has changed."""
    console = get_console(request)

    def read() -> Part:
        listing = _build(request)
        return Part(console.render_text("scans_rows.html", page=build_page(request, listing)))

    return stream_part(console, read, POLL_S)


def _build(request: Request) -> Listing:
    query, place = read_query(request, "name", "state", "outcome"), _read_place(request)
    most = MAX_CONSOLE_SCANS if any(query.values()) else count_needed(request)
    scans = get_console(request).stack.table.list_scans(most, after=place)
    return Listing(
        title="Scans",
        path="/scans",
        columns=SCAN_COLUMNS,
        rows=(Row(scan_row(scan), format_cursor(find_place(scan))) for scan in scans if _fits(scan, query)),
        filters=(
            Filter("name", "Name or id", query["name"], hint="a part of it"),
            Filter("state", "State", query["state"], tuple(state.value for state in ScanState)),
            Filter("outcome", "Outcome", query["outcome"], tuple(outcome.value for outcome in Outcome)),
        ),
        empty="No scan matches.",
        notes=[f"With a filter, {MAX_CONSOLE_SCANS} scans are looked through."],
        is_behind=place is not None,
    )


def _read_place(request: Request) -> ScanPlace | None:
    """Raises: BadInput: it is not the place of a scan."""
    text = read_place(request)
    try:
        return parse_cursor(text) if text else None
    except ValueError as exc:
        raise BadInput(f"after {text!r:.40}: must be the place of a scan, as the links of the list have it") from exc


def _fits(scan: Scan, query: dict[str, str]) -> bool:
    name = query["name"].casefold()
    return (
        (name in scan.name.casefold() or name in scan.scan_id)
        and query["state"] in ("", scan.state.value)
        and query["outcome"] in ("", scan.outcome.value if scan.outcome else None)
    )
