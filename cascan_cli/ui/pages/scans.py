"""/scans: all scans, the newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascan.limits import MAX_CONSOLE_SCANS
from cascan.model.scan import Outcome, ScanState
from cascan_cli.ui.console import get_console
from cascan_cli.ui.listing import Filter, Listing, read_query, show_listing
from cascan_cli.ui.pages.cells import SCAN_COLUMNS, scan_row

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from cascan.model.scan import Scan


def show_scans(request: Request) -> Response:
    query = read_query(request, "name", "state", "outcome")
    scans = get_console(request).stack.table.list_scans(MAX_CONSOLE_SCANS)
    listing = Listing(
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
    return show_listing(request, listing)


def _fits(scan: Scan, query: dict[str, str]) -> bool:
    name = query["name"].casefold()
    return (
        (name in scan.name.casefold() or name in scan.scan_id)
        and query["state"] in ("", scan.state.value)
        and query["outcome"] in ("", scan.outcome.value if scan.outcome else None)
    )
