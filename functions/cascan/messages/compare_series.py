"""An ended scan of a series and an earlier one: how many findings differ, and which places it lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cascan.clock import TimeLeft, no_time_limit
from cascan.findings.by_host import find_address, find_port_key
from cascan.limits import MAX_REVIEWED_FINDINGS, MIN_JUDGING_S, MIN_LOST_HOSTS, MIN_LOST_SHARE
from cascan.model.finding import Finding
from cascan.model.scan import Scan
from cascan.queries.new_findings import is_counted
from cascan.queries.reachability_findings import FindingsAndLooks
from cascan.queries.read_findings import read_findings_by_vantage
from cascan.queries.since_last_scan import Coverage, SinceLastScan, Standing

LostPlace = tuple[str, str, str]  # vantage, address, and `tcp/80`; the last is empty for a host


@dataclass(frozen=True, slots=True)
class SeriesComparison:
    """How many findings differ, without suppressed and accepted ones, and the places that were lost."""

    earlier: Scan
    new: int
    first_covered: int  # findings where the earlier scan did not look
    resolved: int
    not_covered: int  # findings of the earlier scan where this one did not look, or that were not judged
    lost: Sequence[LostPlace]  # of findings of the earlier scan, where this one did not look at all

    @property
    def lost_hosts(self) -> int:
        return len({(vantage, address) for vantage, address, _ in self.lost})

    @property
    def is_smaller(self) -> bool:
        """The scan covered so much less that a notice is due."""
        least = max(MIN_LOST_HOSTS, MIN_LOST_SHARE * self.earlier.hosts_up)
        return self.lost_hosts >= least


def compare_series(
    scan: Scan, earlier: Scan, table: FindingsAndLooks, *, left_s: TimeLeft = no_time_limit
) -> SeriesComparison | None:
    """None: one of the two has more than MAX_REVIEWED_FINDINGS, or there is too little time.

    The scan has ended. Its findings may be about to be published, so that it need not be Done.
    """
    if max(scan.findings.count, earlier.findings.count) > MAX_REVIEWED_FINDINGS:
        return None
    since = SinceLastScan(scan, earlier, table)
    standings: Counter[Standing] = Counter()
    for _, finding, standing in since.compare(read_findings_by_vantage(scan, table)):
        if left_s() < MIN_JUDGING_S:
            return None
        standings[standing] += is_counted(finding)
    gone = since.judge_gone(left_s)
    uncovered = Coverage(scan, earlier, table).list_uncovered(gone.not_covered)
    return SeriesComparison(
        earlier=earlier,
        new=standings[Standing.NEW],
        first_covered=standings[Standing.NOT_COVERED],
        resolved=gone.resolved_count,
        not_covered=gone.not_covered_count,
        lost=sorted({_to_place(vantage, finding) for vantage, finding in uncovered}),
    )


def _to_place(vantage: str, finding: Finding) -> LostPlace:
    port = find_port_key(finding)
    return vantage, find_address(finding), f"{port[0]}/{port[1]}" if port else ""
