"""Is a target covered by intervals of addresses? If not: its first address outside. By arithmetic, not one by one."""

from __future__ import annotations

from bisect import bisect_right

from cascan.nmap.intervals import Interval
from cascan.nmap.targets.octets import Octet, Octets

Intervals = tuple[Interval, ...]  # in order, disjoint and never touching, as `merged` leaves them


def find_gap(covered: Intervals, low: int, high: int) -> int | None:
    """The first number from `low` to `high` that is in no interval; None: all are."""
    index = bisect_right(covered, low, key=lambda interval: interval[0]) - 1
    if index < 0 or covered[index][1] < low:
        return low
    end = covered[index][1]
    return None if high <= end else end + 1


def find_first_outside(target: Octets, covered: Intervals) -> int | None:
    """The target's first address in no interval; None: it is covered. Only blocks that a border cuts are searched."""
    low, high = target.bounds
    missing = find_gap(covered, low, high)
    if missing is None or missing == low:
        return missing
    return _search(target.octets, 0, 0, covered)


def _search(octets: tuple[Octet, ...], depth: int, prefix: int, covered: Intervals) -> int | None:
    shift = 8 * (3 - depth)
    for value in octets[depth]:
        base = (prefix << 8 | value) << shift
        if find_gap(covered, base, base + (1 << shift) - 1) is None:
            continue
        outside = base if depth == len(octets) - 1 else _search(octets, depth + 1, prefix << 8 | value, covered)
        if outside is not None:
            return outside
    return None
