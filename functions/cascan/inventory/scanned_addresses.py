"""Which addresses a shard scanned, and under which names. Nothing is known of one that was not
scanned.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from itertools import chain, islice
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from cascan.limits import MAX_CERTAIN_INTERVALS, MAX_SCANNED_INTERVALS
from cascan.model.shard import Shard
from cascan.nmap.addresses import parse_address
from cascan.nmap.intervals import Interval, merge_intervals, subtract_intervals
from cascan.nmap.targets.kinds import Name, Network6
from cascan.nmap.targets.octets import Octets
from cascan.nmap.targets.target_set import Exclusion, enumerate_slice, parse_target


class ScannedRange(NamedTuple):
    """A range of addresses that nmap was given, and the name that they were given for."""

    target: Octets | Network6
    start: int
    stop: int
    name: str  # empty: scanned by number, or as the block around a name's address

    def holds(self, number: int) -> bool:
        low, high = self.target.bounds
        return low <= number <= high and self.start <= _to_place(self.target, number) < self.stop

    def intervals(self) -> tuple[Interval, ...]:
        """The addresses; of a range with many gaps, all from the lowest to the highest."""
        exact = self.exact_intervals(MAX_SCANNED_INTERVALS)
        return (self._bounds,) if exact is None else exact

    def exact_intervals(self, most: int) -> tuple[Interval, ...] | None:
        """The addresses. None: they have more than `most` intervals."""
        low, high = self._bounds
        if isinstance(self.target, Network6) or self.target.is_contiguous:
            return ((low, high),)
        intervals = []
        for start, end in self.target.intervals(low, high):
            if max(start, low) <= min(end, high):
                intervals.append((max(start, low), min(end, high)))
            if len(intervals) > most:
                return None
        return merge_intervals(intervals)

    @property
    def _bounds(self) -> Interval:
        return _to_address(self.target, self.start), _to_address(self.target, self.stop - 1)


class ScannedAddresses(msgspec.Struct, frozen=True):
    """Every address that a shard scanned: its slices, with the addresses of its names, less the
    excludes.
    """

    family: int
    ranges: tuple[ScannedRange, ...]
    exclusion: Exclusion

    @classmethod
    def from_shard(cls, shard: Shard) -> ScannedAddresses:
        return cls(
            shard.family,
            tuple(_ranges_of(shard)),
            Exclusion.parse(shard.exclude, shard.family),
        )

    def names_for(self, address: str) -> set[str]:
        """The names that the address was scanned for; empty text: by number. An empty set: it was
        not scanned.

        Raises: ValueError: not an address.
        """
        parsed = parse_address(address)
        if "%" in address or parsed.version != self.family or self.exclusion.contains(address):
            return set()
        number = int(parsed)
        return {scanned.name for scanned in self.ranges if scanned.holds(number)}

    def intervals(self) -> tuple[Interval, ...]:
        """The addresses in order, without what is excluded as a whole; around a range with many
        gaps a little more.
        """
        filled_intervals = chain.from_iterable(scanned.intervals() for scanned in self._filled)
        intervals = merge_intervals(filled_intervals)
        return subtract_intervals(intervals, self.exclusion.intervals)

    def certain_intervals(self) -> tuple[Interval, ...]:
        """The addresses in order, and none that was not scanned.

        Ranges with more than MAX_CERTAIN_INTERVALS are left out; all addresses are, where an
        exclude has as many.
        """
        exact = (scanned.exact_intervals(MAX_CERTAIN_INTERVALS) for scanned in self._filled)
        intervals = merge_intervals(chain.from_iterable(filter(None, exact)))
        intervals = subtract_intervals(intervals, self.exclusion.intervals)
        for pattern in self.exclusion.patterns if intervals else ():
            low, high = intervals[0][0], intervals[-1][1]
            holes = tuple(islice(pattern.intervals(low, high), MAX_CERTAIN_INTERVALS + 1))
            if len(holes) > MAX_CERTAIN_INTERVALS:
                return ()
            intervals = subtract_intervals(intervals, merge_intervals(holes))
        return intervals

    @property
    def _filled(self) -> list[ScannedRange]:
        return [scanned for scanned in self.ranges if scanned.start < scanned.stop]


class ReassignedHosts:
    """The addresses that a shard scanned, and that shards which were cut off from it scan again."""

    def __init__(
        self,
        shard: Shard,
        remainders: Iterable[Shard],
        scanned: ScannedAddresses | None = None,
    ) -> None:
        """`scanned`: the shard's own addresses, where they are at hand."""
        self._scanned = scanned or ScannedAddresses.from_shard(shard)
        self._reassigned = tuple(
            ScannedAddresses.from_shard(replace(remainder, run=shard.run)) for remainder in remainders
        )

    def __contains__(self, address: object) -> bool:
        if not self._reassigned:
            return False
        try:
            is_reassigned = any(scanned.names_for(str(address)) for scanned in self._reassigned)
            return is_reassigned and not self._scanned.names_for(str(address))
        except ValueError:
            return False


def extra_addresses(shard: Shard, counted_elsewhere: Collection[str] = ()) -> int:
    """How many addresses more than planned the shard came down to; less than 0: fewer.

    The plan counts a name as one address: with --resolve-all it has several, and names may share
    one, also with names of other shards, which then count it. A name without an address stays one.
    What is excluded does not count.
    """
    resolved = shard.run.resolved if shard.run else {}
    if not resolved:
        return 0
    exclusion = Exclusion.parse(shard.exclude, shard.family)
    planned, addresses = 0, set[str]()
    for target_slice in shard.slices:
        target = parse_target(target_slice.expression, shard.family)
        if not isinstance(target, Name) or target.name in resolved:
            planned += target_slice.stop - target_slice.start
            addresses.update(enumerate_slice(target_slice, shard.family, resolved))
    scanned = [address for address in addresses if not exclusion.contains(address)]
    return sum(address not in counted_elsewhere for address in scanned) - planned


def named_addresses(shard: Shard) -> frozenset[str]:
    """The addresses that the shard scanned for a name alone: not by number, and not as a block
    around one.
    """
    resolved = shard.run.resolved if shard.run else {}
    if not resolved:
        return frozenset()
    scanned = ScannedAddresses.from_shard(shard)
    addresses = {address for addresses in resolved.values() for address in addresses}
    names_by_address = {address: scanned.names_for(address) for address in addresses}
    return frozenset(address for address, names in names_by_address.items() if names and "" not in names)


def _ranges_of(shard: Shard) -> Iterator[ScannedRange]:
    """What the run scanned, from the plan and from the addresses that the worker pinned its names
    to.
    """
    resolved, looked_up_as = (shard.run.resolved, shard.run.asked_as) if shard.run else ({}, {})
    for target_slice in shard.slices:
        start, stop = target_slice.start, target_slice.stop
        target = parse_target(target_slice.expression, shard.family)
        if not isinstance(target, Name):
            yield ScannedRange(target, start, stop, "")
            continue
        looked_up = looked_up_as.get(target.name, target.name)
        # A name vouches for its own address, never for a block
        name = looked_up if target.count == 1 else ""
        for address in resolved.get(target.name, ()):
            yield ScannedRange(target.pin(address), start, stop, name)


def _to_place(target: Octets | Network6, number: int) -> int:
    """The address's place among the target's, counted from 0 in nmap's order; -1: the target does
    not hold it.
    """
    if isinstance(target, Network6):
        return number - target.first
    place = 0
    for values, shift in zip(target.octets, (24, 16, 8, 0), strict=True):
        value = number >> shift & 255
        index = bisect_left(values, value)
        if index == len(values) or values[index] != value:
            return -1
        place = place * len(values) + index
    return place


def _to_address(target: Octets | Network6, place: int) -> int:
    """The address at a place of the target, as a number."""
    if isinstance(target, Network6):
        return target.first + place
    number = 0
    for values, shift in zip(reversed(target.octets), (0, 8, 16, 24), strict=True):
        place, index = divmod(place, len(values))
        number |= values[index] << shift
    return number
