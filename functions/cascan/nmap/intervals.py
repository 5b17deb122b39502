"""Sets of addresses as intervals of numbers, both ends inside, in order and disjoint."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

Interval = tuple[int, int]


def merge_intervals(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The same numbers in the fewest intervals."""
    result: list[Interval] = []
    for low, high in sorted(intervals):
        if result and low <= result[-1][1] + 1:
            result[-1] = result[-1][0], max(high, result[-1][1])
        else:
            result.append((low, high))
    return tuple(result)


def subtract_intervals(intervals: tuple[Interval, ...], holes: tuple[Interval, ...]) -> tuple[Interval, ...]:
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


class IntervalSet:
    """A growing set of intervals, kept in order and disjoint."""

    def __init__(self, intervals: Iterable[Interval] = ()) -> None:
        disjoint = merge_intervals(intervals)
        self._lows = [low for low, _ in disjoint]
        self._highs = [high for _, high in disjoint]

    def add(self, low: int, high: int) -> None:
        """Every number from `low` to `high`."""
        # From the first to behind the last of the intervals that touch the new one.
        begin = bisect_left(self._highs, low - 1)
        end = bisect_right(self._lows, high + 1)
        if begin < end:
            low, high = min(low, self._lows[begin]), max(high, self._highs[end - 1])
        self._lows[begin:end] = [low]
        self._highs[begin:end] = [high]

    def overlapping(self, low: int, high: int) -> Iterator[Interval]:
        """The intervals that share a number with `low` to `high`, whole."""
        begin, end = self._places(low, high)
        return zip(self._lows[begin:end], self._highs[begin:end], strict=True)

    def count_overlapping(self, low: int, high: int) -> int:
        begin, end = self._places(low, high)
        return max(0, end - begin)

    def _places(self, low: int, high: int) -> tuple[int, int]:
        return bisect_left(self._highs, low), bisect_right(self._lows, high)
