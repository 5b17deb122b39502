"""Targets → slices without the excludes, each address once.

The addresses themselves are never listed.

Addresses keep nmap's order. An address of several targets stays with the first of them. Names are
compared by name, because their addresses are not known yet. An IPv6 zone is part of the address.

The addresses of an octet range are in ascending order. So an interval removes one contiguous
stretch of that order. The stretches that remain are the target's slices.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cascan.errors import RequestRefused
from cascan.limits import MAX_OVERLAPS_PER_SCAN
from cascan.model.refusal import Rule
from cascan.model.shard import TargetSlice
from cascan.nmap.intervals import Interval, IntervalSet
from cascan.nmap.targets.exclusion import Exclusion
from cascan.nmap.targets.kinds import Name, Network6, Target
from cascan.nmap.targets.octets import Octets

Space = str  # an IPv6 zone, or empty; addresses of different spaces are never the same
NO_EXCLUSION = Exclusion(4)
FEW = 8  # intervals; comparing so few is faster than looking them up
TOO_SCATTERED = (
    f"removing excludes and duplicates takes more than {MAX_OVERLAPS_PER_SCAN} steps; "
    "write networks instead of scattered ranges, or ask for several scans"
)


def slice_targets(targets: Sequence[Target], exclusion: Exclusion = NO_EXCLUSION) -> Iterator[TargetSlice]:
    """The slices of the targets, in order.

    Raises: RequestRefused: the targets overlap more than can be compared.
    """
    budget = OverlapBudget(MAX_OVERLAPS_PER_SCAN)
    taken: dict[Space, IntervalSet] = {}
    names: set[tuple[str, int | None]] = set()
    overlapping = _find_overlapping(targets)
    _check_size(targets, overlapping, exclusion)
    for index, target in enumerate(targets):
        if isinstance(target, Name):
            if (target.name, target.bits) not in names:
                names.add((target.name, target.bits))
                yield TargetSlice(target.expression, 0, target.count)
            continue
        space = find_space(target)
        if space not in taken:
            taken[space] = _expand_exclusion(exclusion, targets, budget)
        taken_by_others = _find_taken(target, taken[space], budget)
        for start, stop in _find_free(target, taken_by_others):
            yield TargetSlice(target.expression, start, stop)
        if index in overlapping:
            for interval in budget.spend(target.intervals()):
                taken[space].add(*interval)


def _check_size(targets: Sequence[Target], overlapping: set[int], exclusion: Exclusion) -> None:
    """Count the intervals that will be compared in any case.

    Raises: RequestRefused: they are too many.
    """
    overlapping_targets = (targets[index] for index in sorted(overlapping))
    overlapping_ranges = (target for target in overlapping_targets if isinstance(target, Octets))
    intervals = sum(target.count_intervals() for target in overlapping_ranges)
    bounds = _find_ipv4_bounds(targets)
    if bounds:
        intervals += sum(pattern.count_intervals(*bounds) for pattern in exclusion.patterns)
    if intervals > MAX_OVERLAPS_PER_SCAN:
        raise RequestRefused([TOO_SCATTERED], Rule.LIMIT)


def _find_ipv4_bounds(targets: Sequence[Target]) -> Interval | None:
    """The lowest and the highest address of all IPv4 targets. None: there are none."""
    bounds = [target.bounds for target in targets if isinstance(target, Octets)]
    if not bounds:
        return None
    return min(low for low, _ in bounds), max(high for _, high in bounds)


def count_addresses(slices: Iterable[TargetSlice]) -> int:
    """The number of addresses in all slices.

    A name counts as one address, or as the block of its mask.
    """
    return sum(target_slice.stop - target_slice.start for target_slice in slices)


class OverlapBudget:
    """How many intervals may still be compared. This limits the cost of any request."""

    def __init__(self, intervals: int) -> None:
        self.remaining = intervals

    def spend(self, intervals: Iterable[Interval]) -> Iterator[Interval]:
        for interval in intervals:
            self.count(1)
            yield interval

    def count(self, steps: int) -> None:
        self.remaining -= steps
        if self.remaining < 0:
            raise RequestRefused([TOO_SCATTERED], Rule.LIMIT)


def _expand_exclusion(exclusion: Exclusion, targets: Sequence[Target], budget: OverlapBudget) -> IntervalSet:
    """The excludes as intervals.

    A range with gaps is expanded only between the lowest and the highest target.
    """
    excluded = IntervalSet(exclusion.intervals)
    bounds = _find_ipv4_bounds(targets)
    if bounds:
        for pattern in exclusion.patterns:
            for interval in budget.spend(pattern.intervals(*bounds)):
                excluded.add(*interval)
    return excluded


def _find_overlapping(targets: Sequence[Target]) -> set[int]:
    """Indices of targets whose bounds overlap those of a later target.

    Only their addresses need to be remembered.
    """
    overlapping: set[int] = set()
    later: dict[Space, IntervalSet] = {}
    for index in range(len(targets) - 1, -1, -1):
        target = targets[index]
        if isinstance(target, Name):
            continue
        seen = later.setdefault(find_space(target), IntervalSet())
        low, high = target.bounds
        if any(seen.overlapping(low, high)):
            overlapping.add(index)
        seen.add(low, high)
    return overlapping


def _find_taken(target: Octets | Network6, taken: IntervalSet, budget: OverlapBudget) -> Iterator[Interval]:
    """The taken intervals that may share an address with the target, in order.

    Most intervals between the bounds of a range with gaps lie in its gaps. So if the range has
    fewer stretches than there are intervals, the intervals are looked up for each stretch.
    """
    between = taken.count_overlapping(*target.bounds)
    if between < FEW or target.stretches >= between:
        yield from budget.spend(taken.overlapping(*target.bounds))
        return
    previous: Interval | None = None
    for stretch in budget.spend(target.intervals()):
        for interval in budget.spend(taken.overlapping(*stretch)):
            if interval != previous:
                yield interval
            previous = interval


def _find_free(target: Octets | Network6, taken: Iterable[Interval]) -> Iterator[tuple[int, int]]:
    """The stretches of the target's addresses that are not taken: start and exclusive stop."""
    start = 0
    for low, high in taken:
        stop, next_start = target.rank(low), target.rank(high + 1)
        if stop == next_start:  # the interval lies in a gap of the target
            continue
        if start < stop:
            yield start, stop
        start = next_start
    if start < target.count:
        yield start, target.count


def find_space(target: Octets | Network6) -> Space:
    return target.zone if isinstance(target, Network6) else ""
