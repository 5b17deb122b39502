"""`cascan scans`: list scans and refused requests, newest first."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from cascan.clock import to_wire, utc_now
from cascan.model.scan import ScanState
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan_cli.errors import BadInput
from cascan_cli.output.scan import (
    describe_suspension,
    format_changes,
    format_cost,
    format_reason,
    next_opening,
    scan_summary,
)
from cascan_cli.output.table import print_table
from cascan_cli.output.text import pluralize, print_json, print_message
from cascan_cli.stack.health import describe_halt
from cascan_cli.stack.open import open_stack

if TYPE_CHECKING:
    from cascan.model.scan import Scan

DROPPED = ("REQUESTED BY", "COST", "CHANGES", "FINDINGS", "REQUESTED", "OUTCOME")  # where the terminal is narrow
COLUMNS = ("SCAN", "NAME", "STATE", "OUTCOME", "REQUESTED", "REQUESTED BY", "FINDINGS", "CHANGES", "COST", "REMARK")


def run(args: Namespace) -> int:
    if args.limit < 1:
        raise BadInput(f"--limit {args.limit}: must be at least 1")
    with open_stack(args) as stack:
        scans, switch = list(stack.table.list_scans(args.limit)), stack.table.switch()
    if switch:
        print_message(describe_halt(switch))
    if args.json:
        print_json([scan_summary(scan) for scan in scans])
        return 0
    rows = (
        (
            scan.scan_id,
            scan.name,
            scan.state,
            scan.outcome or "",
            to_wire(scan.requested_at),
            scan.requested_by,
            scan.findings.count,
            format_changes(scan.changes),
            format_cost(scan),
            _remark(scan),
        )
        for scan in scans
    )
    if not scans:
        print_message("there are no scans yet; start one with cascan scan TARGET")
    print_table(COLUMNS, rows, drop=DROPPED, whole=("SCAN",))
    return 0


def _describe_vantage(scan: Scan) -> str:
    """Where the scan ran from, if that is not the stack itself."""
    if scan.members:
        return f"from {pluralize(len(scan.members), 'vantage')}: {', '.join(scan.members)}"
    return f"from {scan.vantage}" if scan.vantage != DEFAULT_VANTAGE else ""


def _remark(scan: Scan) -> str:
    """Why the scan ended as it did; or how many of its shards wait."""
    reasons = scan.reasons
    if scan.error_description:
        return scan.error_description
    if reasons.listed:
        others = f" (and {reasons.count - 1} more)" if reasons.count > 1 else ""
        return f"{format_reason(reasons.listed[0])}{others}"
    if not scan.shards_waiting:
        return _describe_vantage(scan)
    waiting = f"{scan.shards_waiting} of {scan.shards} shards wait"
    if scan.state is ScanState.SUSPENDED:
        return f"{waiting} for cascan resume{describe_suspension(scan)}"
    opens_at = next_opening(scan, utc_now())
    return f"{waiting} for its window, which opens at {to_wire(opens_at)}" if opens_at else waiting
