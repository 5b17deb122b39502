"""A quantity of which a low and a high end are known."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class Range(msgspec.Struct, frozen=True):
    low: float
    high: float

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.high + other.high)

    def __mul__(self, other: Range) -> Range:
        return Range(self.low * other.low, self.high * other.high)

    def scale(self, factor: float) -> Range:
        return Range(self.low * factor, self.high * factor)


def exactly(value: float) -> Range:
    return Range(value, value)


NOTHING = exactly(0)


def add_ranges(ranges: Iterable[Range]) -> Range:
    return sum(ranges, NOTHING)
