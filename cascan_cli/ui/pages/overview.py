"""/: what runs, what changed, what needs a decision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from cascan.model.exposure import ExposureState
from cascan.model.scan import FINAL_STATES
from cascan_cli.stack.health import describe_halt
from cascan_cli.ui.console import format_time, get_console
from cascan_cli.ui.listing import Cell
from cascan_cli.ui.pages.cells import SCAN_COLUMNS, host_link, scan_row, severity_cell

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

SCANS_READ = 50  # the latest ones
SHOWN = 10  # of each list
EXPOSURE_COLUMNS = ("Severity", "Host", "Port", "Vantage", "Why", "First seen")


def show_overview(request: Request) -> Response:
    console = get_console(request)
    table = console.stack.table
    latest, switch = list(table.list_scans(SCANS_READ)), table.switch()
    running = [scan for scan in latest if scan.state not in FINAL_STATES]
    changed = [scan for scan in latest if scan.changes and not scan.member_of]
    undecided = [
        exposure
        for state in (ExposureState.CONFIRMED, ExposureState.OPEN)
        for _, exposure in islice(table.list_exposures(state), SHOWN)
    ][:SHOWN]
    rows = [
        (
            severity_cell(exposure.severity.value),
            host_link(exposure.subject.address),
            f"{exposure.subject.protocol}/{exposure.subject.port}",
            exposure.subject.vantage,
            exposure.sentence,
            format_time(exposure.first_seen),
        )
        for exposure in undecided
    ]
    return console.render(
        request,
        "overview.html",
        halt=describe_halt(switch) if switch else "",
        scan_columns=SCAN_COLUMNS,
        running=_to_cells(map(scan_row, running[:SHOWN])),
        changed=_to_cells(map(scan_row, changed[:SHOWN])),
        exposure_columns=EXPOSURE_COLUMNS,
        exposures=_to_cells(rows),
    )


def _to_cells(rows: Iterable[Sequence[object]]) -> list[list[Cell]]:
    return [[Cell.of(value) for value in row] for row in rows]
