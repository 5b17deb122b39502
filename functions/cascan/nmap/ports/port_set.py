"""A list of ports as nmap writes it in a report, `1-1000,8080`, as a set of numbers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache

from cascan.nmap.intervals import Interval, merge_intervals, subtract_intervals
from cascan.patterns import compile_pattern

RANGE = r"([0-9]{1,5})(?:-([0-9]{1,5}))?"


class PortSet:
    """Disjoint intervals in order."""

    def __init__(self, intervals: Iterable[Interval] = ()) -> None:
        self.intervals = merge_intervals(intervals)
        self._lows = [low for low, _ in self.intervals]

    def __contains__(self, port: int) -> bool:
        place = bisect_right(self._lows, port) - 1
        return place >= 0 and port <= self.intervals[place][1]

    def __bool__(self) -> bool:
        return bool(self.intervals)

    def __le__(self, other: PortSet) -> bool:
        return all(other._holds(low, high) for low, high in self.intervals)

    def __sub__(self, other: PortSet) -> PortSet:
        remainders = (other._subtract_from(low, high) for low, high in self.intervals)
        return PortSet(interval for remainder in remainders for interval in remainder)

    def __or__(self, other: PortSet) -> PortSet:
        return PortSet((*self.intervals, *other.intervals))

    def __str__(self) -> str:
        items = (f"{low}" if low == high else f"{low}-{high}" for low, high in self.intervals)
        return ",".join(items)

    def _holds(self, low: int, high: int) -> bool:
        place = bisect_right(self._lows, low) - 1
        return place >= 0 and high <= self.intervals[place][1]

    def _subtract_from(self, low: int, high: int) -> tuple[Interval, ...]:
        """An interval without the numbers of this set."""
        near = slice(max(0, bisect_right(self._lows, low) - 1), bisect_right(self._lows, high))
        return subtract_intervals(((low, high),), self.intervals[near])


@lru_cache(maxsize=512)
def parse_port_set(text: str) -> PortSet:
    """The ports of the list. An item that is not a port or a range of ports is ignored."""
    matches = (compile_pattern(RANGE).fullmatch(item) for item in text.split(","))
    ranges = ((int(match[1]), int(match[2] or match[1])) for match in matches if match)
    return PortSet((low, high) for low, high in ranges if low <= high)
