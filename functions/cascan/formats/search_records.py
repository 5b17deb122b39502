"""Results of a search → records: the findings as the table has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import Protocol

from cascan.formats.records import Record, ScanFields, build_record
from cascan.gateways import FindingsByHost
from cascan.model.finding import Finding
from cascan.model.scan import Scan
from cascan.nmap.addresses import find_network, is_address
from cascan.queries.finding_query import FindingQuery
from cascan.queries.reachability_findings import FindingsAndLooks
from cascan.queries.read_findings import read_own_findings
from cascan.queries.search import SearchResult, SearchText, find_words


class SearchedTable(FindingsAndLooks, FindingsByHost, Protocol):
    """The table that the results are looked up in."""


class SearchedFindings:
    """Looks up the findings of results, which are those that match the text and the query."""

    def __init__(self, table: SearchedTable, text: SearchText, query: FindingQuery) -> None:
        self._table = table
        self._text = text
        self._query = query

    def select_records(self, results: Iterable[SearchResult]) -> Iterator[Record]:
        """A record for each result, in their order. A scan that was removed meanwhile has none."""
        for scan_id, group in groupby(results, key=lambda result: result.scan):
            scan = self._table.get_scan(scan_id)
            if scan is None:
                continue
            fields = ScanFields.of(scan)
            for finding in self._find(list(group), scan):
                yield build_record(finding, scan, fields)

    def _find(self, results: list[SearchResult], scan: Scan) -> Iterator[Finding]:
        if scan.members or not all(is_address(result.address) for result in results):
            yield from self._read_all(len(results), scan)
            return
        found = 0
        for _, batch in groupby(results, key=lambda result: find_network(result.address)):
            counts = Counter(result.address for result in batch)
            by_address = self._table.findings_at(scan.scan_id, counts.keys())
            for address, count in counts.items():
                for finding in islice(filter(self._matches, by_address.get(address, ())), count):
                    found += 1
                    yield finding
        if not found:  # an earlier version accepted the scan
            yield from self._read_all(len(results), scan)

    def _read_all(self, count: int, scan: Scan) -> Iterator[Finding]:
        """The results are the first that match."""
        return islice(filter(self._matches, read_own_findings(scan, self._table)), count)

    def _matches(self, finding: Finding) -> bool:
        return self._query.fits(finding) and self._text.occurs_in(find_words(finding))
