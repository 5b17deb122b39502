"""The part of MemoryScanTable that is about the inventory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from cascan.ids import ReportKey
from cascan.model.inventory import Change, FirstSeen, HostRecord, HostUpdate, InventoryQuery, Sighting
from cascan.model.migration import MigrationResult, TellMigration
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.nmap.intervals import Interval


class MemoryInventory:
    def __init__(self) -> None:
        self.hosts_by_vantage: dict[str, dict[str, HostRecord]] = defaultdict(dict)
        self.is_of_earlier_version = False
        self.changes_by_key: dict[tuple[str, int, tuple[int, int], int, str], tuple[Change, ...]] = {}
        self.asked_by_vantage: dict[str, dict[tuple[int, Interval], Sighting]] = defaultdict(dict)

    @property
    def hosts_by_address(self) -> dict[str, HostRecord]:
        return self.hosts_by_vantage[DEFAULT_VANTAGE]

    @property
    def asked_by_interval(self) -> dict[tuple[int, Interval], Sighting]:
        return self.asked_by_vantage[DEFAULT_VANTAGE]

    def _reach(self) -> None:
        raise NotImplementedError

    def known_hosts(self, addresses: Iterable[str], *, vantage: str = DEFAULT_VANTAGE) -> dict[str, HostRecord]:
        self._reach()
        known = self.hosts_by_vantage[vantage]
        return {address: known[address] for address in addresses if address in known}

    def first_seen(self, addresses: Iterable[str], *, vantage: str = DEFAULT_VANTAGE) -> dict[str, FirstSeen]:
        return {address: record.times for address, record in self.known_hosts(addresses, vantage=vantage).items()}

    def save_hosts(
        self, source: ReportKey, updates: Iterable[HostUpdate], *, vantage: str = DEFAULT_VANTAGE
    ) -> list[str]:
        moved = []
        hosts = self.hosts_by_vantage[vantage]
        for update in updates:
            self._reach()
            stored, address = hosts.get(update.record.key), update.record.key
            if (stored and stored.revision) != (update.known and update.known.revision):
                moved.append(address)
                continue
            hosts[address] = update.record
            if update.changes:
                place = _place(update.changes[0].address)
                identity = address if update.record.places else ""
                self.changes_by_key[source.scan_id, source.shard, place, source.attempt, identity] = update.changes
        return moved

    def known_addresses(self, family: int, low: int, high: int, *, vantage: str = DEFAULT_VANTAGE) -> Iterator[str]:
        self._reach()
        places = {
            address: _place(address) for address, host in self.hosts_by_vantage[vantage].items() if not host.places
        }
        return iter(sorted((a for a, place in places.items() if (family, low) <= place <= (family, high)), key=_place))

    def hosts(self, sought: InventoryQuery, *, vantage: str = DEFAULT_VANTAGE) -> Iterator[HostRecord]:
        networks = sought.networks or ((4, 0, 2**32 - 1), (6, 0, 2**128 - 1))
        for family, low, high in sorted(networks):
            for address in self.known_addresses(family, low, high, vantage=vantage):
                record = self.hosts_by_vantage[vantage][address]
                if sought.fits(record):
                    yield record

    def note_asked(
        self,
        family: int,
        intervals: Iterable[Interval],
        asked: Sighting,
        *,
        vantage: str = DEFAULT_VANTAGE,
    ) -> None:
        notes = self.asked_by_vantage[vantage]
        for interval in intervals:
            self._reach()
            stored = notes.get((family, interval))
            if stored is None or stored.order < asked.order:
                notes[family, interval] = asked

    def asked(
        self, family: int, low: int, high: int, *, vantage: str = DEFAULT_VANTAGE
    ) -> Iterator[tuple[Interval, Sighting]]:
        self._reach()
        for (of, interval), sighting in sorted(self.asked_by_vantage[vantage].items(), key=lambda item: item[0]):
            if of == family and interval[0] <= high and interval[1] >= low:
                yield interval, sighting

    def needs_migration(self) -> bool:
        self._reach()
        return self.is_of_earlier_version

    def migrate(self, tell: TellMigration) -> MigrationResult:
        self._reach()
        result = MigrationResult(hosts=len(self.hosts_by_address) if self.is_of_earlier_version else 0)
        self.is_of_earlier_version = False
        tell(result)
        return result

    def changes(self, scan_id: str, shard: int, after: str = "") -> Iterator[Change]:
        self._reach()
        for key in sorted(self.changes_by_key):
            if key[:2] == (scan_id, shard) and (not after or key[2] > _place(after)):
                yield from self.changes_by_key[key]


def _place(address: str) -> tuple[int, int]:
    number = ip_address(address)
    return number.version, int(number)
