"""Addresses in their order: by family and number, in networks that are judged together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from cascan.exposure.expectations import AddressRange, ExpectationIndex
from cascan.nmap.addresses import order_address
from cascan.nmap.intervals import Interval

NETWORK_BITS = 8  # addresses that share all but these bits are judged together


class Place(NamedTuple):
    family: int
    number: int


def to_place(address: str) -> Place:
    return Place(*order_address(address))


def to_address(place: Place) -> str:
    return next(AddressRange(place.family, place.number, place.number).addresses())


def group_by_network(addresses: Iterable[str]) -> Iterator[list[str]]:
    """Addresses that come one after the other and share a /24 of IPv4 or a /120 of IPv6."""
    for _, group in groupby(addresses, key=_to_network):
        yield list(group)


def list_required(index: ExpectationIndex, vantage: str, family: int, interval: Interval) -> Iterator[Place]:
    """The addresses in the interval of which an entry requires a port, unordered."""
    for entry in index.file.entries:
        if entry.required and entry.includes_vantage(vantage):
            for member in entry.hosts.ranges:
                yield from _overlap(member, family, interval)


def _overlap(member: AddressRange, family: int, interval: Interval) -> Iterator[Place]:
    if member.family == family:
        low, high = max(member.low, interval[0]), min(member.high, interval[1])
        yield from (Place(family, number) for number in range(low, high + 1))


def _to_network(address: str) -> tuple[int, int]:
    place = to_place(address)
    return place.family, place.number >> NETWORK_BITS
