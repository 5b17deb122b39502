"""IPv4 targets: octet ranges. They are counted and cut without listing their addresses.

The addresses are in nmap's order: the last octet changes fastest.
Source: comparison with `nmap -sL -n`.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence

import msgspec

OCTET_BITS = 8
OCTET_TEXTS = tuple(map(str, range(256)))
SHIFTS = (24, 16, 8, 0)  # of the four octets in an address
Octet = tuple[int, ...]  # ascending, without repeats
FourOctets = tuple[Octet, Octet, Octet, Octet]


class Octets(msgspec.Struct, frozen=True):
    """Every combination of one value from each of the four octets.

    A mask has been applied already.
    """

    expression: str
    octets: FourOctets

    @property
    def count(self) -> int:
        a, b, c, d = self.octets
        return len(a) * len(b) * len(c) * len(d)

    def addresses(self, start: int = 0, stop: int | None = None) -> Iterator[str]:
        """The addresses from number `start` up to, but not including, number `stop`."""
        a, b, c, d = self.octets
        stop = self.count if stop is None else min(stop, self.count)
        index = start
        while index < stop:  # one row of the last octet at a time
            row, d_start = divmod(index, len(d))
            row, c_index = divmod(row, len(c))
            a_index, b_index = divmod(row, len(b))
            d_stop = min(len(d), d_start + stop - index)
            prefix = f"{a[a_index]}.{b[b_index]}.{c[c_index]}."
            for value in d[d_start:d_stop]:
                yield prefix + OCTET_TEXTS[value]
            index += d_stop - d_start

    def contains(self, address: int) -> bool:
        octets = zip(self.octets, SHIFTS, strict=True)
        return all(address >> shift & 255 in octet for octet, shift in octets)

    @property
    def bounds(self) -> tuple[int, int]:
        """The lowest and the highest address, as numbers."""
        lowest = _to_number(octet[0] for octet in self.octets)
        highest = _to_number(octet[-1] for octet in self.octets)
        return lowest, highest

    def rank(self, address: int) -> int:
        """How many of the addresses are lower. They are in ascending order."""
        if address >> 32:
            return self.count
        below, each = 0, self.count
        for octet, shift in zip(self.octets, SHIFTS, strict=True):
            value, each = address >> shift & 255, each // len(octet)
            place = bisect_left(octet, value)
            below += place * each
            if place == len(octet) or octet[place] != value:
                break
        return below

    def intervals(self, low: int = 0, high: int = 0xFFFFFFFF) -> Iterator[tuple[int, int]]:
        """The addresses from `low` to `high` as intervals, in ascending order.

        A few beyond these may be included.
        """
        octets = _narrow(self.octets, low, high)
        whole = _count_whole(octets)
        *leading, partial = octets[: len(octets) - whole]
        shift = OCTET_BITS * whole
        stretches = _find_stretches(partial)
        for prefix in itertools.product(*leading):
            base = _to_number(iter(prefix)) << OCTET_BITS
            for start, end in stretches:
                yield (base | start) << shift, ((base | end) + 1 << shift) - 1

    def count_intervals(self, low: int = 0, high: int = 0xFFFFFFFF) -> int:
        """How many intervals `intervals` yields, without computing them."""
        octets = _narrow(self.octets, low, high)
        *leading, partial = octets[: len(octets) - _count_whole(octets)]
        return math.prod(map(len, leading)) * len(_find_stretches(partial))

    @property
    def stretches(self) -> int:
        """How many intervals the addresses form, at most."""
        a, b, c, d = self.octets
        return len(a) * len(b) * len(c) * len(_find_stretches(d))

    @property
    def is_contiguous(self) -> bool:
        """Whether there is no gap between the lowest and the highest address."""
        low, high = self.bounds
        return high - low + 1 == self.count


def split_octets(number: int) -> FourOctets:
    """The octets of one address."""
    return (number >> 24 & 255,), (number >> 16 & 255,), (number >> 8 & 255,), (number & 255,)


def apply_mask(octets: FourOctets, bits: int) -> FourOctets:
    """The octets under a mask, as nmap applies it.

    Each octet is widened by its own eight bits of the mask.
    """
    a, b, c, d = octets
    return _widen(a, bits), _widen(b, bits - 8), _widen(c, bits - 16), _widen(d, bits - 24)


def _widen(octet: Octet, bits: int) -> Octet:
    if bits >= OCTET_BITS:
        return octet
    size = 1 << (OCTET_BITS - max(bits, 0))
    starts = sorted({value & -size for value in octet})
    return tuple(start + offset for start in starts for offset in range(size))


def _to_number(octets: Iterator[int]) -> int:
    number = 0
    for octet in octets:
        number = number << 8 | octet
    return number


def _narrow(octets: tuple[Octet, ...], low: int, high: int) -> list[Octet]:
    """The octets without values that no address from `low` to `high` has.

    Narrowing ends with the first octet in which `low` and `high` differ.
    """
    narrowed: list[Octet] = []
    has_same_prefix = True
    for octet, shift in zip(octets, SHIFTS, strict=True):
        lowest, highest = low >> shift & 255, high >> shift & 255
        if has_same_prefix:
            narrowed.append(tuple(value for value in octet if lowest <= value <= highest))
        else:
            narrowed.append(octet)
        has_same_prefix = has_same_prefix and lowest == highest
    return narrowed


def _count_whole(octets: Sequence[Octet]) -> int:
    """How many octets at the end hold all 256 values. The first octet is not counted."""
    whole = 0
    while whole < len(octets) - 1 and len(octets[-1 - whole]) == 1 << OCTET_BITS:
        whole += 1
    return whole


def _find_stretches(octet: Octet) -> list[tuple[int, int]]:
    """The first and the last value of each run of consecutive values."""
    stretches: list[tuple[int, int]] = []
    for value in octet:
        if stretches and value == stretches[-1][1] + 1:
            stretches[-1] = stretches[-1][0], value
        else:
            stretches.append((value, value))
    return stretches
