"""Cells that several lists have: links to scans and hosts, severities, states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascan_cli.output.principals import describe_principal
from cascan_cli.output.scan import format_changes, format_first_reason
from cascan_cli.ui.console import format_time
from cascan_cli.ui.listing import Cell, link

if TYPE_CHECKING:
    from cascan.model.finding import Finding
    from cascan.model.inventory import Change, Sighting
    from cascan.model.scan import Scan

SEVERITY_MARKS = {"HIGH": "high", "MEDIUM": "medium", "LOW": "low", "INFORMATIONAL": "quiet"}
STATE_MARKS = {"Done": "good", "Errored": "high", "Cancelled": "quiet", "Suspended": "medium"}
EXPOSURE_MARKS = {"open": "medium", "confirmed": "high", "resolved": "good"}
CHANGE_MARKS = {"PortOpened": "medium", "HostAppeared": "medium", "PortClosed": "good", "HostGone": "good"}
CHANGE_COLUMNS = ("When", "Change", "Address", "Name", "Port", "Before", "Now", "Scan")
SCAN_COLUMNS = ("Scan", "Name", "State", "Outcome", "Requested", "By", "Findings", "Changes", "Remark")


def severity_cell(severity: str) -> Cell:
    return Cell(severity, mark=SEVERITY_MARKS.get(severity, "quiet"))


def scan_link(scan_id: str, text: str = "") -> Cell:
    return Cell(text or scan_id, link("scans", scan_id) if scan_id else "")


def host_link(address: str) -> Cell:
    return Cell(address, link("hosts", address) if address else "")


def exposure_link(exposure_id: str) -> Cell:
    return Cell(exposure_id, link("exposures", exposure_id))


def state_cell(state: str) -> Cell:
    """Of an exposure."""
    return Cell(state, mark=EXPOSURE_MARKS.get(state, "quiet"))


def scan_row(scan: Scan) -> tuple[object, ...]:
    return (
        scan_link(scan.scan_id),
        scan.name,
        Cell(scan.state.value, mark=STATE_MARKS.get(scan.state.value, "running")),
        scan.outcome or "",
        format_time(scan.requested_at),
        describe_principal(scan.requested_by),
        scan.findings.count,
        format_changes(scan.changes),
        describe_end(scan),
    )


def describe_end(scan: Scan) -> str:
    """Why it was refused or failed, the first reason why it is incomplete, or how many of its shards wait."""
    waiting = f"{scan.shards_waiting} of {scan.shards} shards wait" if scan.shards_waiting else ""
    return scan.error_description or format_first_reason(scan) or waiting


def find_address(finding: Finding) -> str:
    from cascan.queries.finding_query import list_addresses

    return next(iter(list_addresses(finding)), "")


def change_row(scan: Scan, change: Change) -> tuple[object, ...]:
    return (
        format_time(change.after.seen_at),
        Cell(change.kind.value, mark=CHANGE_MARKS.get(change.kind.value, "running")),
        host_link(change.address),
        change.hostname,
        f"{change.protocol}/{change.port}" if change.port is not None else "",
        describe_sighting(change.before),
        describe_sighting(change.after),
        scan_link(scan.scan_id, scan.name),
    )


def describe_sighting(sighting: Sighting | None) -> str:
    if sighting is None:
        return ""
    return " ".join(filter(None, (sighting.state, sighting.service, sighting.product, sighting.version)))
