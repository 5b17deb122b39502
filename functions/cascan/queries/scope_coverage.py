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


def find_scope_coverage(permitted: Mapping[int, Intervals], scans: Iterable[Scan]) -> list[ScopeCoverage]:
    """`permitted`: the scope by family, as intervals in order."""
    asked = _collect_asked(scans)
    return [
        _cover(family, interval, asked.get(family, ()))
        for family, intervals in sorted(permitted.items())
        for interval in intervals
    ]


def _cover(family: int, interval: Interval, asked: Intervals) -> ScopeCoverage:
    gaps = subtract_intervals((interval,), asked)
    missing = sum(high - low + 1 for low, high in gaps)
    return ScopeCoverage(family, interval, interval[1] - interval[0] + 1 - missing, gaps)


def _collect_asked(scans: Iterable[Scan]) -> dict[int, Intervals]:
    """By family, in order and disjoint."""
    collected: dict[int, list[Interval]] = {4: [], 6: []}
    for scan in scans:
        if scan.state in FINAL_STATES and scan.outcome not in (None, Outcome.FAILED) and scan.request:
            family, intervals = _list_asked(scan.request)
            collected[family] += intervals
    return {family: merge_intervals(intervals) for family, intervals in collected.items()}


def _list_asked(request: ScanRequest) -> tuple[int, Intervals]:
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
