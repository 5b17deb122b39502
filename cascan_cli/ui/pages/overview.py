"""/: what runs, what changed, what needs a decision."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from cascan.model.exposure import ExposureState
from cascan.model.scan import FINAL_STATES
from cascan_cli.stack.health import describe_halt
from cascan_cli.ui.console import Console, format_time, get_console
from cascan_cli.ui.listing import make_section
from cascan_cli.ui.pages.cells import (
    CHANGE_COLUMNS,
    SCAN_COLUMNS,
    change_row,
    exposure_link,
    host_link,
    scan_row,
    severity_cell,
)

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from cascan.model.exposure import Exposure

SCANS_READ = 50  # the latest ones
SHARDS_READ = 50  # for their changes
SHOWN = 10  # of each list
EXPOSURE_COLUMNS = ("Exposure", "Severity", "Host", "Port", "Vantage", "Why", "First seen")
UNDECIDED = (ExposureState.CONFIRMED, ExposureState.OPEN)


def _read_exposures(console: Console, state: ExposureState) -> list[Exposure]:
    return [exposure for _, exposure in islice(console.stack.table.list_exposures(state), SHOWN)]


def show_overview(request: Request) -> Response:
    console = get_console(request)
    table = console.stack.table
    start = console.readers.start
    switch_read = start(table.switch)
    exposure_reads = [start(partial(_read_exposures, console, state)) for state in UNDECIDED]
    latest = list(table.list_scans(SCANS_READ))
    running = [scan for scan in latest if scan.state not in FINAL_STATES]
    changes = islice(console.list_changes(latest, SHARDS_READ), SHOWN)
    switch, undecided = switch_read.result(), [each for read in exposure_reads for each in read.result()][:SHOWN]
    rows = [
        (
            exposure_link(exposure.exposure_id),
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
        running=make_section("Running scans", SCAN_COLUMNS, map(scan_row, running[:SHOWN])),
        exposures=make_section("Exposures that need a decision", EXPOSURE_COLUMNS, rows),
        changed=make_section("Newest changes", CHANGE_COLUMNS, (change_row(scan, change) for scan, change in changes)),
    )
