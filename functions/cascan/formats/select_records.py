"""What may be exported of a table: the records of a scan, or of everything that is open now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import tee
from typing import Protocol

from cascan.formats.records import Record, ScanFields, build_record, find_status
from cascan.gateways import Findings, FindingsByHost, History, Inventory, Scans
from cascan.model.scan import Scan
from cascan.queries.current_findings import find_current_findings
from cascan.queries.finding_query import FindingQuery
from cascan.queries.new_findings import EarlierScan, Standing, is_counted
from cascan.queries.reachability_findings import OpenedPorts, find_reachability
from cascan.queries.since_last_scan import find_earlier_scan

REMOVED = "from the inventory alone: the scan that saw the port last is removed"


class ExportTable(Scans, Findings, FindingsByHost, Inventory, History, Protocol):
    """The table that exports read."""


def select_scan_records(table: ExportTable, scan: Scan, query: FindingQuery) -> Iterator[Record]:
    """The records of the scan; of a scan with members theirs, and then those that compare the vantages."""
    records = _select_members(table, scan, query) if scan.members else _select_own(table, scan, query)
    return _select_new(records, scan, table) if query.new else records


def _select_new(records: Iterable[Record], scan: Scan, table: ExportTable) -> Iterator[Record]:
    """The records whose findings the scan before in the series did not have."""
    earlier = find_earlier_scan(table, scan)
    if earlier is None:
        return
    counted, copies = tee(record for record in records if is_counted(record.finding))
    compared = EarlierScan(earlier, scan, table).compare((copy.vantage, copy.finding) for copy in copies)
    for record, (_, standing) in zip(counted, compared, strict=True):
        if standing is Standing.NEW:
            yield record


def _select_members(table: ExportTable, scan: Scan, query: FindingQuery) -> Iterator[Record]:
    opened = OpenedPorts()
    for member in filter(None, map(table.get_scan, scan.members)):
        fields = ScanFields.of(member)
        for finding in table.findings(member.scan_id):
            opened.add(finding)
            if query.fits(finding):
                yield build_record(finding, member, fields)
    fields = ScanFields.of(scan)
    for finding in query.select(find_reachability(scan, opened, table)):
        yield build_record(finding, scan, fields)


def select_current_records(table: ExportTable, query: FindingQuery) -> Iterator[Record]:
    """The records of what is open now, over all scans: of each place those of the newest scan that covered it."""
    fields: dict[str, ScanFields] = {}  # of the scan that is being read
    for finding, scan in find_current_findings(table):
        if not query.fits(finding):
            continue
        if scan is None:
            yield Record(finding=finding, status=find_status(finding), note=REMOVED)
            continue
        if scan.scan_id not in fields:
            fields = {scan.scan_id: ScanFields.of(scan)}
        yield build_record(finding, scan, fields[scan.scan_id])


def _select_own(table: ExportTable, scan: Scan, query: FindingQuery) -> Iterator[Record]:
    fields = ScanFields.of(scan)
    for finding in query.select(table.findings(scan.scan_id)):
        yield build_record(finding, scan, fields)
