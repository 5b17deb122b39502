"""The findings of a scan, whether it has shards or members."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cascan.model.finding import Finding
    from cascan.model.scan import Scan
    from cascan.queries.reachability_findings import FindingsAndLooks


def read_findings(scan: Scan, table: FindingsAndLooks) -> Iterator[Finding]:
    """The scan's findings; of a scan with members theirs, one member after the other, and then the ports
    whose state differs by vantage.
    """
    if scan.members:
        return (finding for _, finding in _read_members(scan, table, with_theirs=True))
    return table.findings(scan.scan_id)


def read_findings_by_vantage(scan: Scan, table: FindingsAndLooks) -> Iterator[tuple[str, Finding]]:
    """The same findings, each with the vantage of its scan. The ports whose state differs by vantage have none."""
    if scan.members:
        yield from _read_members(scan, table, with_theirs=True)
        return
    for finding in table.findings(scan.scan_id):
        yield scan.vantage, finding


def read_own_findings(scan: Scan, table: FindingsAndLooks) -> Iterator[Finding]:
    """The findings that no other scan has: of a scan with members only those that compare the members."""
    if scan.members:
        return (finding for _, finding in _read_members(scan, table, with_theirs=False))
    return table.findings(scan.scan_id)


def _read_members(scan: Scan, table: FindingsAndLooks, *, with_theirs: bool) -> Iterator[tuple[str, Finding]]:
    from cascan.queries.reachability_findings import OpenedPorts, find_reachability  # noqa: PLC0415 - most scans have none

    opened = OpenedPorts()
    for member_id in scan.members:
        member = table.get_scan(member_id) if with_theirs else None
        vantage = member.vantage if member else ""
        for finding in table.findings(member_id):
            opened.add(finding)
            if with_theirs:
                yield vantage, finding
    for finding in find_reachability(scan, opened, table):
        yield "", finding
