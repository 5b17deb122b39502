"""One scan as a whole: what changed since the scan before it, its cascade, its members."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from cascan.gateways import CascadeTable
from cascan.limits import MAX_CHILDREN_LISTED, MAX_COMPARED_FOR_PAGE
from cascan.model.cascade import CascadeRecord, StoredChild
from cascan.model.scan import Scan, ScanState
from cascan.queries.new_findings import is_counted
from cascan.queries.reachability_findings import FindingsAndLooks
from cascan.queries.read_findings import read_findings_by_vantage
from cascan.queries.since_last_scan import SinceLastScan, Standing, find_earlier_scan


class SeriesChanges(NamedTuple):
    """How many findings of a scan differ from those of the scan before it, without suppressed and accepted ones."""

    earlier: Scan
    new: int  # the earlier scan looked there
    first_covered: int  # the earlier scan did not
    resolved: int
    not_covered: int  # findings of the earlier scan where this one did not look, or that were not judged


class ChildScan(NamedTuple):
    child: StoredChild
    scan: Scan | None  # None: it is not planned yet, another scanner runs it, or it is removed


class ScanPage(NamedTuple):
    scan: Scan
    changes: SeriesChanges | None  # None: there is nothing to compare with, or too much
    earlier: Scan | None
    members: Sequence[Scan]
    children: Sequence[ChildScan]  # at most MAX_CHILDREN_LISTED
    cascade: CascadeRecord | None


def read_scan_page(scan: Scan, table: FindingsAndLooks, cascades: CascadeTable) -> ScanPage:
    children = islice(cascades.cascade_children(scan.scan_id), MAX_CHILDREN_LISTED)
    earlier = find_earlier_scan(table, scan)
    return ScanPage(
        scan=scan,
        changes=compare_with_earlier(scan, earlier, table) if earlier else None,
        earlier=earlier,
        members=list(filter(None, map(table.get_scan, scan.members))),
        children=[ChildScan(child, table.get_scan(child.scan_id) if child.scan_id else None) for child in children],
        cascade=cascades.cascade(scan.scan_id),
    )


def compare_with_earlier(scan: Scan, earlier: Scan, table: FindingsAndLooks) -> SeriesChanges | None:
    """None: the scan has no findings yet, or one of the two has more than MAX_COMPARED_FOR_PAGE."""
    largest = max(scan.findings.count, earlier.findings.count)
    if scan.state is not ScanState.DONE or largest > MAX_COMPARED_FOR_PAGE:
        return None
    since = SinceLastScan(scan, earlier, table)
    compared = since.compare(read_findings_by_vantage(scan, table))
    standings = Counter(standing for _, finding, standing in compared if is_counted(finding))
    gone = since.judge_gone()
    return SeriesChanges(
        earlier=earlier,
        new=standings[Standing.NEW],
        first_covered=standings[Standing.NOT_COVERED],
        resolved=gone.resolved_count,
        not_covered=gone.not_covered_count,
    )
