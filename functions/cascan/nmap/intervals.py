"""Sets of addresses as intervals of numbers, both ends inside, in order and disjoint."""

from __future__ import annotations

from collections.abc import Iterable

Interval = tuple[int, int]


def merged(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The same numbers in the fewest intervals."""
    result: list[Interval] = []
    for low, high in sorted(intervals):
        if result and low <= result[-1][1] + 1:
            result[-1] = result[-1][0], max(high, result[-1][1])
        else:
            result.append((low, high))
    return tuple(result)


def without(intervals: tuple[Interval, ...], holes: tuple[Interval, ...]) -> tuple[Interval, ...]:
    """The numbers of `intervals` that are in none of `holes`; both in order and disjoint."""
    result: list[Interval] = []
    for start, end in intervals:
        low = start
        for hole_low, hole_high in holes:
            if hole_high < low:
                continue
            if hole_low > end:
                break
            if hole_low > low:
                result.append((low, hole_low - 1))
            low = hole_high + 1
        if low <= end:
            result.append((low, end))
    return tuple(result)
