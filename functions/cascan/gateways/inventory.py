"""The inventory of scanned addresses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from cascan.ids import ReportKey
from cascan.model.inventory import Change, FirstSeen, HostRecord, HostUpdate, InventoryQuery, Sighting
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.nmap.intervals import Interval


class Inventory(Protocol):
    """The newest record of every host, and the changes that each report made.

    Each vantage has records of its own.
    """

    def known_hosts(self, addresses: Iterable[str], *, vantage: str = DEFAULT_VANTAGE) -> dict[str, HostRecord]:
        """The records of those addresses that have one, by address, read consistently.

        `addresses` may have identities among them, whose records are by identity.
        """

    def first_seen(self, addresses: Iterable[str], *, vantage: str = DEFAULT_VANTAGE) -> dict[str, FirstSeen]:
        """Since when the hosts that have a record are up, and their ports open."""

    def save_hosts(
        self, source: ReportKey, updates: Iterable[HostUpdate], *, vantage: str = DEFAULT_VANTAGE
    ) -> list[str]:
        """Store each record together with its changes, which are listed under the report `source`.

        A record that another writer changed since it was read is not stored, nor are its changes.
        Returns the keys of these records: addresses and identities.
        """

    def known_addresses(self, family: int, low: int, high: int, *, vantage: str = DEFAULT_VANTAGE) -> Iterator[str]:
        """The addresses from `low` to `high` that have a record, in order."""

    def hosts(self, sought: InventoryQuery, *, vantage: str = DEFAULT_VANTAGE) -> Iterator[HostRecord]:
        """The records that match the query, in order of their address, IPv4 first."""

    def note_asked(
        self, family: int, intervals: Iterable[Interval], asked: Sighting, *, vantage: str = DEFAULT_VANTAGE
    ) -> None:
        """Record that every address in the intervals was scanned; a newer record is kept."""

    def asked(
        self, family: int, low: int, high: int, *, vantage: str = DEFAULT_VANTAGE
    ) -> Iterator[tuple[Interval, Sighting]]:
        """The recorded intervals that overlap `low` to `high`, each with its latest scan."""

    def changes(self, scan_id: str, shard: int, after: str = "") -> Iterator[Change]:
        """The changes that the shard's reports made, in order of address.

        `after`: only the changes of addresses behind this one.
        """
