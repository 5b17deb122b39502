"""/changes: what differs from earlier scans, as a chart over time and as a list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from cascan.formats.change_records import select_change_records
from cascan.limits import MAX_CHART_DAYS, MAX_CONSOLE_SCANS, MAX_CONSOLE_SHARDS
from cascan.model.inventory import Change, ChangeKind
from cascan.queries.recorded_changes import ChangesOfDay, count_by_day
from cascan_cli.errors import BadInput
from cascan_cli.input.moments import parse_since
from cascan_cli.ui.console import Console, get_console
from cascan_cli.ui.list_page import show_listing
from cascan_cli.ui.listing import Filter, Listing, read_query
from cascan_cli.ui.pages.cells import CHANGE_COLUMNS, change_row

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from cascan.model.scan import Scan

FIELDS = ("kind", "host", "series", "since", "days")
DAYS = ("7", "30", str(MAX_CHART_DAYS))
DEFAULT_DAYS = "30"
APPEARING = (ChangeKind.PORT_OPENED, ChangeKind.HOST_APPEARED)
VANISHING = (ChangeKind.PORT_CLOSED, ChangeKind.HOST_GONE)
WIDTH, HALF, MARGIN = 900, 90, 40  # of the chart, in its own units


class Bar(NamedTuple):
    """One day of the chart: what appeared goes up, what vanished goes down."""

    day: str
    x: float
    width: float
    up: float  # heights
    down: float
    appeared: int
    vanished: int
    others: int


def show_changes(request: Request) -> Response:
    console, query = get_console(request), read_query(request, *FIELDS)
    days = query["days"] or DEFAULT_DAYS
    if days not in DAYS:
        raise BadInput(f"days {days!r:.20}: must be one of {', '.join(DAYS)}")
    table = console.stack.table
    scans = [scan for scan in console.recent.list_scans(table) if _is_of_series(scan, query)]
    counted = count_by_day(scans, console.clock(), int(days))
    listing = Listing(
        title="Changes",
        columns=CHANGE_COLUMNS,
        rows=(change_row(scan, change) for scan, change in _find(console, scans, query)),
        filters=(
            Filter("kind", "Change", query["kind"], tuple(kind.value for kind in ChangeKind)),
            Filter("host", "Host", query["host"], hint="address or name"),
            Filter("series", "Series", query["series"], hint="a part of the name"),
            Filter("since", "Since", query["since"], hint="7d or a date"),
            Filter("days", "Days of the chart", days, DAYS, unset=""),
        ),
        empty="No scan saw a change that matches.",
        records=lambda: select_change_records((change for _, change in _find(console, scans, query)), table),
        notes=[
            f"Of the {MAX_CONSOLE_SCANS} latest scans; the list reads the latest {MAX_CONSOLE_SHARDS} shards of those "
            "with changes, and `cascan diff SCAN` all of a scan. First observations are not changes."
        ],
    )
    highest = max(1, *(max(bar.appeared, bar.vanished) for bar in build_bars(counted, 1)))
    chart = {"bars": build_bars(counted, highest), "highest": highest, "width": WIDTH, "half": HALF, "margin": MARGIN}
    return show_listing(request, listing, "changes.html", chart=chart, days=days)


def _is_of_series(scan: Scan, query: dict[str, str]) -> bool:
    return query["series"].casefold() in scan.name.casefold()


def _find(console: Console, scans: Sequence[Scan], query: dict[str, str]) -> Iterator[tuple[Scan, Change]]:
    since, host = parse_since(query["since"] or None), query["host"].casefold()
    for scan, change in console.list_changes(scans, MAX_CONSOLE_SHARDS):
        is_of_host = host in ("", change.address, change.hostname.casefold())
        is_of_kind = query["kind"] in ("", change.kind.value)
        if is_of_host and is_of_kind and (since is None or change.after.seen_at >= since):
            yield scan, change


def build_bars(counted: Sequence[ChangesOfDay], highest: int) -> list[Bar]:
    """The bars of the chart, of which the highest count fills its half."""
    width = (WIDTH - MARGIN) / len(counted)
    return [_build_bar(number, each, width, highest) for number, each in enumerate(counted)]


def _build_bar(number: int, counted: ChangesOfDay, width: float, highest: int) -> Bar:
    counts = counted.counts
    appeared, vanished = sum(counts[kind] for kind in APPEARING), sum(counts[kind] for kind in VANISHING)
    return Bar(
        day=counted.day.isoformat(),
        x=round(MARGIN + number * width, 1),
        width=round(width * 0.8, 1),
        up=round(HALF * appeared / highest, 1),
        down=round(HALF * vanished / highest, 1),
        appeared=appeared,
        vanished=vanished,
        others=counts.total() - appeared - vanished,
    )
