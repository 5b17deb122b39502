"""Whether intervals cover all addresses of a target, and if not its first address outside.

It is computed from bounds and blocks. Addresses are not compared one by one.
"""

from __future__ import annotations

from bisect import bisect_right

from cascan.nmap.intervals import Interval
from cascan.nmap.targets.octets import Octet, Octets

Intervals = tuple[Interval, ...]  # in order and not adjacent, as from merge_intervals()


def find_gap(covered: Intervals, low: int, high: int) -> int | None:
    """The first number from `low` to `high` outside all intervals. None: there is none."""
    index = bisect_right(covered, low, key=lambda interval: interval[0]) - 1
    if index < 0 or covered[index][1] < low:
        return low
    end = covered[index][1]
    return None if high <= end else end + 1


def find_first_outside(target: Octets, covered: Intervals) -> int | None:
    """The target's first address outside all intervals. None: there is none.

    Only blocks that an interval covers in part are searched.
    """
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
        if depth == len(octets) - 1:
            return base
        outside = _search(octets, depth + 1, prefix << 8 | value, covered)
        if outside is not None:
            return outside
    return None
