"""The findings of a scan that a query selects, and a page of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from cascan.model.finding import Finding
from cascan.model.scan import Scan
from cascan.queries.finding_query import FindingQuery
from cascan.queries.read_findings import read_findings, read_findings_by_vantage

if TYPE_CHECKING:
    from cascan.queries.reachability_findings import FindingsAndLooks


class SelectedFindings:
    """Iterate over it once. Afterwards its other attributes say what was left out.

    earlier         what `new` findings were compared with; None: nothing, or the series has no earlier scan
    first_covered   findings left out because the earlier scan did not cover their places
    """

    def __init__(self, query: FindingQuery, scan: Scan, table: FindingsAndLooks) -> None:
        self.earlier = _find_earlier(scan, table) if query.new else None
        self.first_covered = 0
        self._query, self._scan, self._table = query, scan, table

    def __iter__(self) -> Iterator[Finding]:
        if self._query.new:
            return self._select_new()
        return self._query.select(read_findings(self._scan, self._table))

    def _select_new(self) -> Iterator[Finding]:
        from cascan.queries.new_findings import EarlierScan, Standing, is_counted  # noqa: PLC0415 - rarely needed

        if self.earlier is None:
            return
        selected = (
            (vantage, finding)
            for vantage, finding in read_findings_by_vantage(self._scan, self._table)
            if self._query.fits(finding) and is_counted(finding)
        )
        for finding, standing in EarlierScan(self.earlier, self._scan, self._table).compare(selected):
            self.first_covered += standing is Standing.NOT_COVERED
            if standing is Standing.NEW:
                yield finding


def _find_earlier(scan: Scan, table: FindingsAndLooks) -> Scan | None:
    from cascan.queries.since_last_scan import find_earlier_scan  # noqa: PLC0415 - rarely needed

    return find_earlier_scan(table, scan)


class FindingPage:
    """At most `limit` findings, behind the one whose id is `after`. Iterate over it once.

    A cursor is the id of the last finding of a page: the next one begins behind it, in the same order.
    """

    def __init__(self, findings: Iterable[Finding], *, limit: int, after: str = "") -> None:
        self._findings, self._limit, self._after = findings, limit, after
        self.next = ""  # the cursor of the next page; empty: there is none

    def __iter__(self) -> Iterator[Finding]:
        """Raises: LookupError: no finding has the id `after`."""
        stream = iter(self._findings)
        if self._after and all(finding.id != self._after for finding in stream):
            raise LookupError(self._after)
        last = ""
        for finding in islice(stream, self._limit):
            last = finding.id
            yield finding
        if next(stream, None) is not None:
            self.next = last
