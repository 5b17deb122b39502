"""Hosts that are known by an identity: where they are now, and where they were before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice

from cascan.gateways import Inventory
from cascan.inventory.moves import is_shared
from cascan.model.inventory import HostRecord, InventoryQuery, Place
from cascan.model.vantage import DEFAULT_VANTAGE

HOSTS_AT_ONCE = 100  # whose identities are read together


@dataclass(frozen=True, slots=True)
class ListedHost:
    """A record of an address."""

    record: HostRecord
    moved_to: str = ""  # where a later look saw the host that was up here last


@dataclass(frozen=True, slots=True)
class Stay:
    """How long a host was at an address, as looks saw it there."""

    address: str
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class IdentifiedHost:
    """The record of an identity, with its stays."""

    record: HostRecord
    stays: tuple[Stay, ...]  # the latest first
    is_shared: bool  # one scan saw it at several addresses: these are several hosts, or several interfaces
    is_there: bool  # it was up last, and no other host has been seen at its address since

    @property
    def is_complete(self) -> bool:
        """The record still has the first place."""
        return self.record.first_seen >= self.record.places[0].seen_at


def list_hosts(inventory: Inventory, query: InventoryQuery, *, vantage: str = DEFAULT_VANTAGE) -> Iterator[ListedHost]:
    """The records of addresses that match the query, in order, each with where its host is now."""
    records = inventory.hosts(query, vantage=vantage)
    while batch := list(islice(records, HOSTS_AT_ONCE)):
        identities = {record.identity for record in batch if record.identity and record.is_up}
        identified = inventory.known_hosts(sorted(identities), vantage=vantage) if identities else {}
        for record in batch:
            yield ListedHost(record, _find_new_address(record, identified.get(record.identity)))


def _find_new_address(record: HostRecord, identified: HostRecord | None) -> str:
    """Empty: the host has not been seen elsewhere, or its identity does not tell hosts apart."""
    if not record.is_up or identified is None or not identified.places or is_shared(identified.places):
        return ""
    newest = identified.places[-1]
    is_elsewhere = newest.address != record.address and newest.seen_at > record.last_seen
    return newest.address if is_elsewhere else ""


def find_identified_host(
    inventory: Inventory, identity: str, *, vantage: str = DEFAULT_VANTAGE
) -> IdentifiedHost | None:
    """None: no scan from the vantage has seen the identity."""
    record = inventory.known_hosts([identity], vantage=vantage).get(identity)
    if record is None or not record.places:
        return None
    shared = is_shared(record.places)
    address = record.places[-1].address
    occupant = inventory.known_hosts([address], vantage=vantage).get(address)
    is_there = record.is_up and not shared and bool(occupant and occupant.identity == identity)
    return IdentifiedHost(record, tuple(_list_stays(record.places, by_address=shared)), shared, is_there)


def _list_stays(places: Iterable[Place], *, by_address: bool) -> list[Stay]:
    """`by_address`: the places of an address are one stay, also if the host was elsewhere in between."""
    ordered = sorted(places, key=lambda place: place.address) if by_address else places
    stays = []
    for address, group in groupby(ordered, key=lambda place: place.address):
        times = [place.seen_at for place in group]
        stays.append(Stay(address, min(times), max(times)))
    return sorted(stays, key=lambda stay: (stay.last, stay.first), reverse=True)
