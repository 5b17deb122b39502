"""What is known of addresses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from cascan.ids import ReportKey
from cascan.model.inventory import Change, HostRecord, HostUpdate, InventoryQuery, Sighting
from cascan.nmap.intervals import Interval


class Inventory(Protocol):
    """What is known of addresses, and what each report changed."""

    def known_hosts(self, addresses: Iterable[str]) -> dict[str, HostRecord]:
        """The records of these addresses, read consistently; an address without one is left out."""

    def save_hosts(self, source: ReportKey, updates: Iterable[HostUpdate]) -> list[str]:
        """Store each record with its changes, which are the report's from then on; or neither.

        Returns the addresses whose record was changed since it was read: of these nothing is stored.
        """

    def known_addresses(self, family: int, low: int, high: int) -> Iterator[str]:
        """Addresses from `low` to `high` that have a record, in order."""

    def hosts(self, sought: InventoryQuery) -> Iterator[HostRecord]:
        """The records that fit, IPv4 first, in order of their address."""

    def note_asked(self, family: int, intervals: Iterable[Interval], asked: Sighting) -> None:
        """Record that every address in the intervals was scanned. An older record changes nothing."""

    def asked(self, family: int, low: int, high: int) -> Iterator[tuple[Interval, Sighting]]:
        """The notes that touch `low` to `high`."""

    def changes(self, scan_id: str, shard: int, after: str = "") -> Iterator[Change]:
        """What the shard's reports changed, by address; in the same order each time. `after`: behind this address."""
