"""Which addresses of the scope no scan has ever asked for.

It goes by the targets of ended scans: an address counts as asked if a request named it by number, alone or in a
network or a range, and the scan did not fail. What names resolved to is not known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from cascan.errors import RequestRefused
from cascan.limits import MAX_SCANNED_INTERVALS
from cascan.model.request import ScanRequest
from cascan.model.scan import FINAL_STATES, Outcome, Scan
from cascan.nmap.intervals import Interval, merge_intervals, subtract_intervals
from cascan.nmap.options.arguments import parse_arguments
from cascan.nmap.targets.kinds import Name, Network6
from cascan.nmap.targets.own_ports import parse_target_with_ports

Intervals = tuple[Interval, ...]
Asked = tuple[int, Intervals]  # family, and what a scan asked for


class ScopeCoverage(NamedTuple):
    """One interval of the scope."""

    family: int
    interval: Interval
    asked: int  # addresses
    gaps: Intervals  # what was never asked

    @property
    def addresses(self) -> int:
        low, high = self.interval
        return high - low + 1


class AskedTargets:
    """The addresses that scans asked for. Those of each scan are found once: its request stays the same."""

    def __init__(self) -> None:
        self._by_scan: dict[str, Asked] = {}

    def collect(self, scans: Iterable[Scan]) -> dict[int, Intervals]:
        """Of those that did not fail, by family, in order and disjoint. What other scans asked is forgotten."""
        asked = {scan.scan_id: self._find(scan) for scan in scans if _is_asked(scan)}
        self._by_scan = asked
        # Scheduled scans ask for the same again
        distinct = set(asked.values())
        return {
            family: merge_intervals(interval for of, intervals in distinct if of == family for interval in intervals)
            for family in (4, 6)
        }

    def _find(self, scan: Scan) -> Asked:
        known = self._by_scan.get(scan.scan_id)
        return known or _list_asked(scan.request or ScanRequest(targets=()))


def find_scope_coverage(
    permitted: Mapping[int, Intervals], scans: Iterable[Scan], targets: AskedTargets | None = None
) -> list[ScopeCoverage]:
    """`permitted`: the scope by family, as intervals in order. `targets`: what is known of the scans' targets."""
    asked = (targets or AskedTargets()).collect(scans)
    return [
        _cover(family, interval, asked.get(family, ()))
        for family, intervals in sorted(permitted.items())
        for interval in intervals
    ]


def _cover(family: int, interval: Interval, asked: Intervals) -> ScopeCoverage:
    gaps = subtract_intervals((interval,), asked)
    missing = sum(high - low + 1 for low, high in gaps)
    return ScopeCoverage(family, interval, interval[1] - interval[0] + 1 - missing, gaps)


def _is_asked(scan: Scan) -> bool:
    return scan.state in FINAL_STATES and scan.outcome not in (None, Outcome.FAILED) and scan.request is not None


def _list_asked(request: ScanRequest) -> Asked:
    arguments = parse_arguments(request.parameters)
    family = arguments.family
    named = merge_intervals(_parse_intervals((*request.targets, *arguments.targets), family))
    return family, subtract_intervals(named, merge_intervals(_parse_intervals(request.exclude, family)))


def _parse_intervals(expressions: Sequence[str], family: int) -> Iterator[Interval]:
    """The addresses of the targets; nothing of names, nor of a range with more gaps than are worth it."""
    for expression in expressions:
        try:
            target, _ = parse_target_with_ports(expression, family)
        except RequestRefused:  # an earlier version accepted it
            continue
        if isinstance(target, Name):
            continue
        if isinstance(target, Network6) or target.is_contiguous:
            yield target.bounds
        elif target.count_intervals() <= MAX_SCANNED_INTERVALS:
            yield from target.intervals()
