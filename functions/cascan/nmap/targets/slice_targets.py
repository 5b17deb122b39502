"""What is left of targets: without the excludes, and each address once. All in arithmetic, nothing is enumerated.

The rule: addresses keep nmap's order; one that several targets hold stays with the first of them. Names are compared
by name, since their addresses are not known yet; an IPv6 zone belongs to the address.

An octet range lists its addresses in ascending order. So whatever interval is taken out of it takes one stretch out of
its list, and what is left are stretches: a target's slices.
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

Space = str  # addresses of different spaces never meet: the zone of IPv6, empty for all others
NOTHING_LEFT_OUT = Exclusion(4)
FEW = 8  # intervals that are sooner looked at than looked up
TOO_SCATTERED = (
    f"taking excludes and repeats out takes more than {MAX_OVERLAPS_PER_SCAN} steps; "
    "write networks instead of scattered ranges, or ask for several scans"
)


def slice_targets(targets: Sequence[Target], exclusion: Exclusion = NOTHING_LEFT_OUT) -> Iterator[TargetSlice]:
    """The slices that are left, in order.

    Raises: RequestRefused: the targets overlap with more than can be compared.
    """
    budget = _Budget(MAX_OVERLAPS_PER_SCAN)
    taken: dict[Space, IntervalSet] = {}
    names: set[tuple[str, int | None]] = set()
    meets = _that_meet_a_later_one(targets)
    _check_size(targets, meets, exclusion)
    for index, target in enumerate(targets):
        if isinstance(target, Name):
            if (target.name, target.bits) not in names:
                names.add((target.name, target.bits))
                yield TargetSlice(target.expression, 0, target.count)
            continue
        space = _space(target)
        if space not in taken:
            taken[space] = _excluded(exclusion, targets, budget)
        for start, stop in _left(target, _meeting(target, taken[space], budget)):
            yield TargetSlice(target.expression, start, stop)
        if index in meets:
            for interval in budget.spend(target.intervals()):
                taken[space].add(*interval)


def _check_size(targets: Sequence[Target], meets: set[int], exclusion: Exclusion) -> None:
    """Count what will be looked at in any case, before any of it is. Raises: RequestRefused: it is too much."""
    ranges = [target for target in targets if isinstance(target, Octets)]
    known = sum(target.count_intervals() for i in meets if isinstance(target := targets[i], Octets))
    if ranges:
        low, high = min(target.bounds[0] for target in ranges), max(target.bounds[1] for target in ranges)
        known += sum(pattern.count_intervals(low, high) for pattern in exclusion.patterns)
    if known > MAX_OVERLAPS_PER_SCAN:
        raise RequestRefused([TOO_SCATTERED], Rule.LIMIT)


def count_addresses(slices: Iterable[TargetSlice]) -> int:
    """Addresses in all of them: one for a name, or as many as its mask asks for."""
    return sum(part.stop - part.start for part in slices)


class _Budget:
    """How many intervals may still be looked at: what a request costs stays bounded, whatever it says."""

    def __init__(self, intervals: int) -> None:
        self.left = intervals

    def spend(self, intervals: Iterable[Interval]) -> Iterator[Interval]:
        for interval in intervals:
            self.left -= 1
            if self.left < 0:
                raise RequestRefused([TOO_SCATTERED], Rule.LIMIT)
            yield interval


def _excluded(exclusion: Exclusion, targets: Sequence[Target], budget: _Budget) -> IntervalSet:
    """The excludes as intervals; of ranges with gaps, what lies between the lowest and the highest target."""
    excluded = IntervalSet(exclusion.intervals)
    bounds = [target.bounds for target in targets if isinstance(target, Octets)]
    if exclusion.patterns and bounds:
        low, high = min(low for low, _ in bounds), max(high for _, high in bounds)
        for pattern in exclusion.patterns:
            for interval in budget.spend(pattern.intervals(low, high)):
                excluded.add(*interval)
    return excluded


def _that_meet_a_later_one(targets: Sequence[Target]) -> set[int]:
    """Indices of targets whose bounds touch those of a target after them: the others need not be remembered."""
    meets: set[int] = set()
    later: dict[Space, IntervalSet] = {}
    for index in range(len(targets) - 1, -1, -1):
        target = targets[index]
        if isinstance(target, Name):
            continue
        seen = later.setdefault(_space(target), IntervalSet())
        low, high = target.bounds
        if any(seen.overlapping(low, high)):
            meets.add(index)
        seen.add(low, high)
    return meets


def _meeting(target: Octets | Network6, taken: IntervalSet, budget: _Budget) -> Iterator[Interval]:
    """The taken intervals that may share an address with the target, in order.

    Of a range with gaps they are looked up by its own stretches, where those are fewer than the intervals between its
    lowest and its highest address: most of these lie in its gaps.
    """
    between = taken.count_overlapping(*target.bounds)
    if between < FEW or target.stretches >= between:
        yield from budget.spend(taken.overlapping(*target.bounds))
        return
    last: Interval | None = None
    for stretch in budget.spend(target.intervals()):
        for interval in budget.spend(taken.overlapping(*stretch)):
            if interval != last:
                yield interval
            last = interval


def _left(target: Octets | Network6, taken: Iterable[Interval]) -> Iterator[tuple[int, int]]:
    """Stretches of the target's list that are not taken: from, up to and not including."""
    start = 0
    for first, last in taken:
        stop, after = target.rank(first), target.rank(last + 1)
        if stop == after:  # it lies in a gap of the target
            continue
        if start < stop:
            yield start, stop
        start = after
    if start < target.count:
        yield start, target.count


def _space(target: Octets | Network6) -> Space:
    return target.zone if isinstance(target, Network6) else ""
