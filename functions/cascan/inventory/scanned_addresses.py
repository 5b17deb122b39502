"""Which addresses a shard asked, and under which names. One that was not asked says nothing: it is not gone."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from cascan.limits import MAX_SCANNED_INTERVALS
from cascan.model.shard import Shard
from cascan.nmap.addresses import parse_address
from cascan.nmap.intervals import Interval, merge_intervals, subtract_intervals
from cascan.nmap.targets.kinds import Name, Network6
from cascan.nmap.targets.octets import Octets
from cascan.nmap.targets.target_set import Exclusion, enumerate_slice, parse_target


class ScannedRange(NamedTuple):
    """A stretch of addresses that nmap was given, and the name it was given for."""

    target: Octets | Network6
    start: int
    stop: int
    name: str  # empty: asked by number, or as the block around a name's address

    def holds(self, number: int) -> bool:
        low, high = self.target.bounds
        return low <= number <= high and self.start <= _place(self.target, number) < self.stop

    def intervals(self) -> tuple[Interval, ...]:
        """The addresses; of a range with many gaps, all from the lowest to the highest."""
        low, high = _at(self.target, self.start), _at(self.target, self.stop - 1)
        if isinstance(self.target, Network6) or self.target.is_contiguous:
            return ((low, high),)
        pieces = []
        for first, last in self.target.intervals(low, high):
            if max(first, low) <= min(last, high):
                pieces.append((max(first, low), min(last, high)))
            if len(pieces) > MAX_SCANNED_INTERVALS:
                return ((low, high),)
        return merge_intervals(pieces)


class ScannedAddresses(msgspec.Struct, frozen=True):
    """Every address that a shard asked: its slices, with the addresses that its names stood for, less the excludes."""

    family: int
    parts: tuple[ScannedRange, ...]
    exclusion: Exclusion

    @classmethod
    def from_shard(cls, shard: Shard) -> ScannedAddresses:
        return cls(shard.family, tuple(_asked_by(shard)), Exclusion.parse(shard.exclude, shard.family))

    def names_for(self, address: str) -> set[str]:
        """The names that the address was asked under, among them the empty one; none: it was not asked.

        Raises: ValueError: no address.
        """
        number = parse_address(address)
        if "%" in address or number.version != self.family or self.exclusion.contains(address):
            return set()
        return {part.name for part in self.parts if part.holds(int(number))}

    def intervals(self) -> tuple[Interval, ...]:
        """The addresses in order, without what is excluded as a whole; around a range with many gaps a little more."""
        asked = merge_intervals(
            interval for part in self.parts if part.start < part.stop for interval in part.intervals()
        )
        return subtract_intervals(asked, self.exclusion.intervals)


class ReassignedHosts:
    """The addresses that a shard asked, and that shards which were cut off from it ask again."""

    def __init__(self, shard: Shard, remainders: Iterable[Shard], asked: ScannedAddresses | None = None) -> None:
        """`asked`: the shard's own, where they are at hand."""
        self._asked = asked or ScannedAddresses.from_shard(shard)
        self._left = tuple(ScannedAddresses.from_shard(replace(rest, run=shard.run)) for rest in remainders)

    def __contains__(self, address: object) -> bool:
        if not self._left:
            return False
        try:
            left = any(asked.names_for(str(address)) for asked in self._left)
            return left and not self._asked.names_for(str(address))
        except ValueError:
            return False


def extra_addresses(shard: Shard, counted_elsewhere: Collection[str] = ()) -> int:
    """How many addresses more than planned the shard came down to; less than 0: fewer.

    The plan counts a name as one address: with --resolve-all it has several, and names may share one, also with names
    of other shards, which then count it. A name without an address stays one. What is excluded does not count.
    """
    resolved = shard.run.resolved if shard.run else {}
    if not resolved:
        return 0
    exclusion = Exclusion.parse(shard.exclude, shard.family)
    planned, addresses = 0, set[str]()
    for piece in shard.slices:
        target = parse_target(piece.expression, shard.family)
        if not isinstance(target, Name) or target.name in resolved:
            planned += piece.stop - piece.start
            addresses.update(enumerate_slice(piece, shard.family, resolved))
    return sum(not exclusion.contains(a) and a not in counted_elsewhere for a in addresses) - planned


def named_addresses(shard: Shard) -> frozenset[str]:
    """The addresses that the shard asked for the sake of a name alone: not by number, and not as a block around one."""
    resolved = shard.run.resolved if shard.run else {}
    if not resolved:
        return frozenset()
    asked = ScannedAddresses.from_shard(shard)
    names_by_address = {a: asked.names_for(a) for addresses in resolved.values() for a in addresses}
    return frozenset(address for address, names in names_by_address.items() if names and "" not in names)


def _asked_by(shard: Shard) -> Iterator[ScannedRange]:
    """What the run asked, from the plan and from the addresses that the worker pinned its names to."""
    resolved, asked_as = (shard.run.resolved, shard.run.asked_as) if shard.run else ({}, {})
    for piece in shard.slices:
        target = parse_target(piece.expression, shard.family)
        if not isinstance(target, Name):
            yield ScannedRange(target, piece.start, piece.stop, "")
            continue
        asked = asked_as.get(target.name, target.name)
        name = asked if target.count == 1 else ""  # a name vouches for its own address, never for a block
        for address in resolved.get(target.name, ()):
            yield ScannedRange(target.pin(address), piece.start, piece.stop, name)


def _place(target: Octets | Network6, number: int) -> int:
    """The address's number among the target's, counted from 0 in nmap's order; -1: it is none of them."""
    if isinstance(target, Network6):
        return number - target.first
    place = 0
    for values, shift in zip(target.octets, (24, 16, 8, 0), strict=True):
        value = number >> shift & 255
        at = bisect_left(values, value)
        if at == len(values) or values[at] != value:
            return -1
        place = place * len(values) + at
    return place


def _at(target: Octets | Network6, place: int) -> int:
    """The address at a place of the target, as a number."""
    if isinstance(target, Network6):
        return target.first + place
    number = 0
    for values, shift in zip(reversed(target.octets), (0, 8, 16, 24), strict=True):
        place, at = divmod(place, len(values))
        number |= values[at] << shift
    return number
