"""Which findings of a scan are new: the scan before it in its series looked there, and did not have them.

A finding at a place that the earlier scan did not look at may have been there all along.
`cascan.queries.since_last_scan` says what counts as a look. Suppressed and accepted findings are not new.

    earlier = find_earlier_scan(table, scan)
    for finding, standing in EarlierScan(earlier, scan, table).compare(read_findings_by_vantage(scan, table)): …
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from cascan.model.finding import Finding
from cascan.model.scan import Scan
from cascan.queries.reachability_findings import FindingsAndLooks
from cascan.queries.read_findings import read_findings_by_vantage
from cascan.queries.since_last_scan import Coverage, Standing, is_counted

__all__ = ["EarlierScan", "Standing", "is_counted"]


class EarlierScan:
    """A scan that the findings of a later one are compared with. Takes 8 bytes for each of its findings.

    `SinceLastScan` takes a hundred, and knows in turn what is gone.
    """

    def __init__(self, earlier: Scan, scan: Scan, table: FindingsAndLooks) -> None:
        hashes = array("q", (_hash(*entry) for entry in read_findings_by_vantage(earlier, table)))
        self._hashes = array("q", sorted(hashes))
        self._coverage = Coverage(earlier, scan, table)

    def compare(self, findings: Iterable[tuple[str, Finding]]) -> Iterator[tuple[Finding, Standing]]:
        """The findings, each given with its vantage, in their order; with how each stands to the earlier scan."""
        compared = self._coverage.compare(findings, self._has)
        return ((finding, standing) for _, finding, standing in compared)

    def _has(self, vantage: str, finding: Finding) -> bool:
        sought = _hash(vantage, finding)
        index = bisect_left(self._hashes, sought)
        return index < len(self._hashes) and self._hashes[index] == sought


def _hash(vantage: str, finding: Finding) -> int:
    return hash((vantage, finding.fingerprint))
