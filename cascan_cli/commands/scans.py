"""`cascan scans`: list scans and refused requests, newest first."""

from __future__ import annotations

from argparse import Namespace
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from cascan.clock import to_wire, utc_now
from cascan.findings.redact import redact_parameters
from cascan.limits import MAX_SCANS_FILTERED
from cascan.model.scan import ScanState
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.queries.list_scans import (
    ScanFilter,
    ScanListing,
    find_place,
    format_cursor,
    list_matching_scans,
    parse_cursor,
)
from cascan_cli.errors import BadInput
from cascan_cli.input.scan_filter import parse_scan_filter
from cascan_cli.output.findings import count_severities
from cascan_cli.output.listing import Listing, print_listing
from cascan_cli.output.principals import describe_principal
from cascan_cli.output.scan import (
    describe_suspension,
    duration_s,
    format_changes,
    format_cost,
    format_duration,
    format_first_reason,
    next_opening,
    scan_summary,
)
from cascan_cli.output.text import pluralize, print_message, shorten_list
from cascan_cli.stack.health import describe_halt
from cascan_cli.stack.open import open_stack

if TYPE_CHECKING:
    from cascan.gateways import ScanPlace
    from cascan.model.scan import Scan

COLUMNS = (
    "SCAN",
    "NAME",
    "STATE",
    "OUTCOME",
    "REQUESTED",
    "DURATION",
    "TARGETS",
    "OPTIONS",
    "SEVERITIES",
    "REQUESTED BY",
    "FINDINGS",
    "CHANGES",
    "COST",
    "REMARK",
)
DROPPED = (  # where the terminal is narrow
    "REQUESTED BY",
    "COST",
    "OPTIONS",
    "CHANGES",
    "DURATION",
    "FINDINGS",
    "SEVERITIES",
    "TARGETS",
    "REQUESTED",
    "OUTCOME",
)
SHOWN_TARGETS = 3


def run(args: Namespace) -> int:
    if args.limit < 1:
        raise BadInput(f"--limit {args.limit}: must be at least 1")
    sought, after = parse_scan_filter(args), _parse_after(args.after)
    with open_stack(args) as stack:
        listing, switch = list_matching_scans(stack.table, sought, args.limit, after=after), stack.table.switch()
    if switch:
        print_message(describe_halt(switch))
    scans = map(_redact, listing.scans) if args.form or args.output else listing.scans
    print_listing(
        Listing(
            title="scans",
            unit="scan",
            items=scans,
            columns=COLUMNS,
            to_row=partial(_build_row, shown_targets=SHOWN_TARGETS),
            to_full_row=_build_row,
            to_json=_to_json,
            drop=DROPPED,
            whole=("SCAN",),
        ),
        args,
    )
    _print_end(listing, is_filtered=sought != ScanFilter() or after is not None)
    return 0


def _parse_after(text: str) -> ScanPlace | None:
    try:
        return parse_cursor(text) if text else None
    except ValueError as exc:
        raise BadInput(f"--after {text!r}: must be a cursor that cascan scans printed") from exc


def _print_end(listing: ScanListing, *, is_filtered: bool) -> None:
    if not listing.scans:
        print_message("no scan matches" if is_filtered else "there are no scans yet; start one with cascan scan TARGET")
    if listing.is_unfinished:
        print_message(f"{MAX_SCANS_FILTERED:,} scans were looked through")
    if listing.next:
        print_message(f"more: the same command with --after {format_cursor(listing.next)}")


def _to_json(scan: Scan) -> dict[str, Any]:
    return scan_summary(scan) | {"cursor": format_cursor(find_place(scan))}


def _redact(scan: Scan) -> Scan:
    """Without passwords in the options of nmap, as in each export."""
    if scan.request is None:
        return scan
    return replace(scan, request=replace(scan.request, parameters=redact_parameters(scan.request.parameters)))


def _build_row(scan: Scan, *, shown_targets: int | None = None) -> tuple[object, ...]:
    """`shown_targets`: how many; None: all."""
    seconds = duration_s(scan)
    targets = scan.request.targets if scan.request else ()
    return (
        scan.scan_id,
        scan.name,
        scan.state,
        scan.outcome or "",
        to_wire(scan.requested_at),
        "" if seconds is None else format_duration(seconds),
        shorten_list(targets, len(targets) if shown_targets is None else shown_targets),
        " ".join(scan.request.parameters) if scan.request else "",
        " ".join(count_severities(scan.findings.severities)).replace("INFORMATIONAL", "INFO"),
        describe_principal(scan.requested_by),
        scan.findings.count,
        format_changes(scan.changes),
        format_cost(scan),
        _remark(scan),
    )


def _describe_vantage(scan: Scan) -> str:
    """Where the scan ran from, if that is not the stack itself."""
    if scan.members:
        return f"from {pluralize(len(scan.members), 'vantage')}: {', '.join(scan.members)}"
    return f"from {scan.vantage}" if scan.vantage != DEFAULT_VANTAGE else ""


def _remark(scan: Scan) -> str:
    """Why the scan ended as it did; or how many of its shards wait."""
    if why := scan.error_description or format_first_reason(scan):
        return why
    if not scan.shards_waiting:
        return _describe_vantage(scan)
    waiting = f"{scan.shards_waiting} of {scan.shards} shards wait"
    if scan.state is ScanState.SUSPENDED:
        return f"{waiting} for cascan resume{describe_suspension(scan)}"
    opens_at = next_opening(scan, utc_now())
    return f"{waiting} for its window, which opens at {to_wire(opens_at)}" if opens_at else waiting
