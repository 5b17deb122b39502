"""/scans: all scans, the newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from cascan.limits import MAX_CONSOLE_SCANS
from cascan.model.scan import Outcome, ScanState
from cascan_cli.ui.console import get_console
from cascan_cli.ui.listing import Filter, Listing, build_page, read_query, show_listing
from cascan_cli.ui.live import Part, stream_part
from cascan_cli.ui.pages.cells import SCAN_COLUMNS, scan_row

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

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
    query = read_query(request, "name", "state", "outcome")
    scans = get_console(request).stack.table.list_scans(MAX_CONSOLE_SCANS)
    return Listing(
        title="Scans",
        columns=SCAN_COLUMNS,
        rows=(scan_row(scan) for scan in scans if _fits(scan, query)),
        filters=(
            Filter("name", "Name or id", query["name"], hint="a part of it"),
            Filter("state", "State", query["state"], tuple(state.value for state in ScanState)),
            Filter("outcome", "Outcome", query["outcome"], tuple(outcome.value for outcome in Outcome)),
        ),
        empty="No scan matches.",
        notes=[f"The {MAX_CONSOLE_SCANS} latest scans are listed."],
    )


def _fits(scan: Scan, query: dict[str, str]) -> bool:
    name = query["name"].casefold()
    return (
        (name in scan.name.casefold() or name in scan.scan_id)
        and query["state"] in ("", scan.state.value)
        and query["outcome"] in ("", scan.outcome.value if scan.outcome else None)
    )
