"""The kinds of target: octet ranges, an IPv6 network, a name. Counted and cut without enumerating.

Order of addresses is nmap's own: the last octet runs fastest. Source: agreement with `nmap -sL -n`.
"""

from __future__ import annotations

import itertools
import socket
from bisect import bisect_left
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

import msgspec

from cascan.errors import RequestRefused
from cascan.model.refusal import Rule

IPV4, IPV6 = 4, 6  # address families
OCTET_BITS = 8
SHIFTS = (24, 16, 8, 0)  # of the four octets in an address
Octet = tuple[int, ...]  # ascending, without repeats


class Octets(msgspec.Struct, frozen=True):
    """IPv4: every combination of one value from each of the four octets; a mask has been applied already."""

    expression: str
    octets: tuple[Octet, Octet, Octet, Octet]

    @property
    def count(self) -> int:
        a, b, c, d = self.octets
        return len(a) * len(b) * len(c) * len(d)

    def addresses(self, start: int = 0, stop: int | None = None) -> Iterator[str]:
        """Addresses number `start` up to, not including, `stop`."""
        a, b, c, d = self.octets
        texts = [str(value) for value in d]
        index, stop = start, self.count if stop is None else min(stop, self.count)
        while index < stop:  # one row of the last octet at a time
            row, first = divmod(index, len(d))
            row, third = divmod(row, len(c))
            row, second = divmod(row, len(b))
            last = min(len(d), first + stop - index)
            prefix = f"{a[row]}.{b[second]}.{c[third]}."
            for text in texts[first:last]:
                yield prefix + text
            index += last - first

    def contains(self, address: int) -> bool:
        return all(address >> shift & 255 in octet for octet, shift in zip(self.octets, SHIFTS, strict=True))

    @property
    def bounds(self) -> tuple[int, int]:
        """The lowest and the highest address, as numbers."""
        return _number(octet[0] for octet in self.octets), _number(octet[-1] for octet in self.octets)

    def rank(self, address: int) -> int:
        """How many of the addresses are lower: the list is in ascending order."""
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
        """The addresses as intervals in ascending order; all that lie from `low` to `high`, and maybe some around."""
        octets = _narrowed(self.octets, low, high)
        whole = 0  # octets at the end that hold every value
        while whole < len(octets) - 1 and len(octets[-1 - whole]) == 1 << OCTET_BITS:
            whole += 1
        *leading, last = octets[: len(octets) - whole]
        shift = OCTET_BITS * whole
        stretches = _stretches(last)
        for prefix in itertools.product(*leading):
            base = _number(iter(prefix)) << OCTET_BITS
            for first, end in stretches:
                yield (base | first) << shift, ((base | end) + 1 << shift) - 1

    @property
    def is_contiguous(self) -> bool:
        """No gap between the lowest and the highest address."""
        low, high = self.bounds
        return high - low + 1 == self.count


class Network6(msgspec.Struct, frozen=True):
    """IPv6: one address, or the block a mask makes of it. A zone is kept for link-local addresses."""

    expression: str
    first: int
    count: int
    zone: str = ""

    def addresses(self, start: int = 0, stop: int | None = None) -> Iterator[str]:
        """Addresses number `start` up to, not including, `stop`."""
        zone = f"%{self.zone}" if self.zone else ""
        for index in range(start, self.count if stop is None else min(stop, self.count)):
            yield f"{IPv6Address(self.first + index)}{zone}"

    def rank(self, address: int) -> int:
        """How many of the addresses are lower."""
        return min(max(address - self.first, 0), self.count)

    def intervals(self) -> Iterator[tuple[int, int]]:
        yield self.bounds

    @property
    def bounds(self) -> tuple[int, int]:
        return self.first, self.first + self.count - 1


class Name(msgspec.Struct, frozen=True):
    """A host name, resolved by the worker; a mask asks for the block around the name's address."""

    expression: str
    name: str
    family: int
    bits: int | None = None

    @property
    def count(self) -> int:
        return 1 if self.bits is None else 1 << (self.width - self.bits)

    @property
    def width(self) -> int:
        """Bits of an address of the family."""
        return 32 if self.family == IPV4 else 128

    def pinned(self, address: str) -> Octets | Network6:
        """The name's address with the name's mask applied.

        Raises: RequestRefused: not an address of the family the name was asked with.
        """
        suffix = "" if self.bits is None else f"/{self.bits}"
        try:
            number = int(IPv4Address(address) if self.family == IPV4 else IPv6Address(address.partition("%")[0]))
        except ValueError as exc:
            reason = f"{address!r} is not an IPv{self.family} address of {self.name}"
            raise RequestRefused([reason], Rule.TARGET_SYNTAX) from exc
        bits = self.width if self.bits is None else self.bits
        if self.family == IPV4:
            return Octets(address + suffix, masked(octets_of(number), bits))
        return network6(address + suffix, number, bits, address.partition("%")[2])


Target = Octets | Network6 | Name


def octets_of(number: int) -> tuple[Octet, Octet, Octet, Octet]:
    """The octets of one address."""
    return (number >> 24 & 255,), (number >> 16 & 255,), (number >> 8 & 255,), (number & 255,)


def masked(octets: tuple[Octet, Octet, Octet, Octet], bits: int) -> tuple[Octet, Octet, Octet, Octet]:
    """nmap's reading of a mask: each octet by itself is widened to the block that its share of the mask makes."""
    a, b, c, d = octets
    return _widened(a, bits), _widened(b, bits - 8), _widened(c, bits - 16), _widened(d, bits - 24)


def network6(expression: str, number: int, bits: int, zone: str) -> Network6:
    """The block of `bits` around an address; host bits are ignored, as nmap does."""
    size = 1 << (128 - bits)
    return Network6(expression, number & -size, size, zone)


def numeric6(text: str) -> int | None:
    """The number of an IPv6 address in text, without a zone; None when it is none."""
    try:
        return int.from_bytes(socket.inet_pton(socket.AF_INET6, text), "big")
    except (OSError, ValueError):
        return None


def _widened(octet: Octet, bits: int) -> Octet:
    if bits >= OCTET_BITS:
        return octet
    size = 1 << (OCTET_BITS - max(bits, 0))
    return tuple(value + extra for value in sorted({value & -size for value in octet}) for extra in range(size))


def _number(octets: Iterator[int]) -> int:
    number = 0
    for octet in octets:
        number = number << 8 | octet
    return number


def _narrowed(octets: tuple[Octet, ...], low: int, high: int) -> list[Octet]:
    """Without values that no address from `low` to `high` has: those before the octets in which the two differ."""
    narrowed: list[Octet] = []
    same = True
    for octet, shift in zip(octets, SHIFTS, strict=True):
        lowest, highest = low >> shift & 255, high >> shift & 255
        narrowed.append(tuple(value for value in octet if lowest <= value <= highest) if same else octet)
        same = same and lowest == highest
    return narrowed


def _stretches(octet: Octet) -> list[tuple[int, int]]:
    """First and last of each run of values without a gap."""
    stretches: list[tuple[int, int]] = []
    for value in octet:
        if stretches and value == stretches[-1][1] + 1:
            stretches[-1] = stretches[-1][0], value
        else:
            stretches.append((value, value))
    return stretches
