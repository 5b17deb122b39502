"""A report's hosts, added to the inventory. What they change is stored with their records, and
published afterwards.

Each record is stored with its changes in one write, on the condition that it was not changed since
it was read; otherwise it is read and compared again. A delivery that breaks off anywhere is
finished by the next: what was stored already compares as nothing new, and the events are made from
the stored changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import chain, islice, takewhile

from msgspec.structs import replace

from cascan.errors import GatewayUnavailable
from cascan.gateways import ReportResults
from cascan.ids import ReportKey
from cascan.inventory.changes import apply_observation
from cascan.inventory.coverage import ScannedPorts
from cascan.inventory.identities import IdentityRules
from cascan.inventory.looks import build_look, find_look_time, list_shared_ports
from cascan.inventory.moves import Comparison, compare_identified, list_identities
from cascan.inventory.observations import Absence, observe_absence, observe_host
from cascan.inventory.scanned_addresses import ScannedAddresses
from cascan.model.host import Host
from cascan.model.inventory import NOT_UP, Change, HostRecord, HostUpdate, Observation, Sighting
from cascan.model.recording import Recording
from cascan.model.shard import Shard
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.nmap.addresses import parse_address
from cascan.nmap.intervals import Interval, merge_intervals, subtract_intervals
from on_report_stored.scope_filter import ScopeFilter

Stretch = tuple[int, int]  # of a report: its first byte, and the one after its last
NO_PLACES: Mapping[str, Stretch | None] = {}
BY_ADDRESS = IdentityRules()
ADDRESSES_AT_ONCE = 256
MAX_CONFLICTS = 16  # other reports of the same address, stored between the read and the write


@dataclass
class InventoryUpdater:
    """One report on its way into the inventory."""

    key: ReportKey
    seen_at: datetime
    scope_filter: ScopeFilter
    table: ReportResults
    began_at: datetime | None = None  # the run; None: its worker did not say
    vantage: str = DEFAULT_VANTAGE
    identity_rules: IdentityRules = BY_ADDRESS
    unidentified: int = 0  # hosts that were up, without the identity that their network asks for
    recorded: int = 0  # addresses of the report that have a record
    _reported: set[int] = field(default_factory=set)  # addresses of every host element
    _new: list[int] = field(default_factory=list)  # of those, the ones since the last checkpoint
    _stretches: tuple[Stretch, ...] = ()  # of the report, that checkpoints hold

    def resume(self, checkpoint: Recording) -> None:
        """Continue with what an earlier turn knew."""
        self.start_stretch(checkpoint)
        self.recorded = checkpoint.recorded
        for low, high in self.table.recorded_addresses(self.key, checkpoint):
            self._reported.update(range(low, high + 1))

    def add_element(self, host: Host) -> bool:
        """The report has an element of the host, recorded or not. False: it had one of the same
        address before.
        """
        is_new = True
        for number, text in _numbered_addresses(host):
            if number not in self._reported:
                self._reported.add(number)
                self._new.append(number)
            elif text == host.address:
                is_new = False
        return is_new

    def new_addresses(self) -> tuple[Interval, ...]:
        """The addresses of host elements since the last checkpoint."""
        return merge_intervals((number, number) for number in self._new)

    def stretches_to(self, offset: int) -> tuple[Stretch, ...]:
        """The stretches of the report that a checkpoint at this place holds."""
        start = self._stretches[-1][1] if self._stretches else 0
        return (*self._stretches, (start, offset))

    def start_stretch(self, checkpoint: Recording) -> None:
        """What follows belongs to the next checkpoint."""
        self._stretches = checkpoint.stretches
        self._new.clear()

    def add(
        self,
        hosts: Iterable[Host],
        scanned: ScannedPorts,
        names: dict[str, str],
        places: Mapping[str, Stretch | None] = NO_PLACES,
    ) -> None:
        """Add hosts that may be recorded; `names` by address.

        `places`, by address: first byte and number of bytes of their elements in the report.
        """
        key, observations, looks = self.key, [], []
        for host in hosts:
            seen_at = find_look_time(host, self.began_at, self.seen_at)
            observation = observe_host(host, scanned, key.scan_id, seen_at, names)
            if observation:
                observations.append(self._identify(observation, host, names))
            looks.append(build_look(host, scanned, key, seen_at, places.get(host.address)))
        self._update(observations)
        shared = list_shared_ports(scanned)
        self.table.store_looks(filter(None, looks), shared_ports=shared, vantage=self.vantage)

    def _identify(self, observation: Observation, host: Host, names: Mapping[str, str]) -> Observation:
        identity = self.identity_rules.find_identity(host, observation.address, names)
        if identity is None:
            return observation
        self.unidentified += not identity and observation.up is True
        return replace(observation, identity=identity)

    def finish(self, shard: Shard, absence: Absence) -> None:
        """Add the addresses that a report which accounts for all of them has no element for, and
        store all as scanned.

        Only where an address without a host element was not up.
        """
        if shard.run and self.recorded < shard.run.addresses and absence is Absence.NOT_UP:
            self._add_absent()
            scanned = self.scope_filter.scanned
            not_up = Sighting(state=NOT_UP, seen_at=self.seen_at, scan_id=self.key.scan_id)
            self.table.note_asked(scanned.family, scanned.intervals(), not_up, vantage=self.vantage)
            self._store_absences(scanned)

    def _store_absences(self, scanned: ScannedAddresses) -> None:
        """Store that the addresses without an element were not up, apart from any that may not have
        been scanned.
        """
        reported = merge_intervals((number, number) for number in self._reported)
        absent = subtract_intervals(scanned.certain_intervals(), reported)
        self.table.store_absences(self.key, scanned.family, absent, self.seen_at, vantage=self.vantage)

    def _add_absent(self) -> None:
        scanned = self.scope_filter.scanned
        for low, high in scanned.intervals():
            known_addresses = self.table.known_addresses(scanned.family, low, high, vantage=self.vantage)
            addresses = filter(self._is_absent, known_addresses)
            while batch := list(islice(addresses, ADDRESSES_AT_ONCE)):
                self._record_absences(batch)

    def _record_absences(self, addresses: list[str]) -> None:
        scan_id, seen_at = self.key.scan_id, self.seen_at
        absences = [observe_absence(address, scan_id, seen_at) for address in addresses]
        self._update([self._expect_identity(absence) for absence in absences])

    def _expect_identity(self, absence: Observation) -> Observation:
        is_tracked = self.identity_rules.is_tracked(absence.address)
        return replace(absence, identity="") if is_tracked else absence

    def _is_absent(self, address: str) -> bool:
        is_reported = int(parse_address(address)) in self._reported
        return not is_reported and not self.scope_filter.find_address_refusal(address)

    def _update(self, observations: list[Observation]) -> None:
        """Raises: GatewayUnavailable: other reports changed the same records again and again."""
        waiting = observations
        for _ in range(MAX_CONFLICTS):
            by_address: dict[str, Observation] = {}
            for observation in waiting:
                by_address.setdefault(observation.address, observation)
            # A host that comes twice
            repeats = [seen for seen in waiting if by_address[seen.address] is not seen]
            conflicts = self._compare_and_save(list(by_address.values()))
            waiting = [by_address[address] for address in conflicts] + repeats
            if not waiting:
                return
        raise GatewayUnavailable("scan table: other reports kept changing the same addresses")

    def _compare_and_save(self, observations: list[Observation]) -> list[str]:
        """The addresses whose records another writer changed meanwhile: they are not stored."""
        addresses = [observation.address for observation in observations]
        records = self.table.known_hosts(addresses, vantage=self.vantage)
        identified = [seen for seen in observations if _has_identity(seen, records.get(seen.address))]
        conflicts = self._save_identified(identified, records) if identified else []
        updates = []
        for observation in observations:
            if identified and observation in identified:
                continue
            update, has_record = self._compare(records.get(observation.address), observation)
            self.recorded += has_record
            if update:
                updates.append(update)
        moved = self.table.save_hosts(self.key, updates, vantage=self.vantage) if updates else []
        self.recorded -= len(moved)
        return [*conflicts, *moved]

    def _save_identified(self, observations: list[Observation], records: Mapping[str, HostRecord]) -> list[str]:
        """Compare and save looks where hosts are known by an identity; returns what `_compare_and_save`
        returns.
        """
        together: defaultdict[str, list[Observation]] = defaultdict(list)
        wanted: set[str] = set()
        for seen in observations:
            wanted |= list_identities(seen, records.get(seen.address))
            if seen.identity and seen.up:
                together[seen.identity].append(seen)
        identities = self.table.known_hosts(wanted, vantage=self.vantage)
        comparisons = [
            compare_identified(
                seen,
                records.get(seen.address),
                identities,
                together=together.get(seen.identity or "", ()),
                last_scanned=self._last_scanned(seen),
            )
            for seen in observations
        ]
        conflicts = self._save_in_order(comparisons, observed=together.keys())
        self.recorded += sum(comparison.has_record for comparison in comparisons if comparison.address not in conflicts)
        return list(conflicts)

    def _save_in_order(self, comparisons: list[Comparison], observed: Collection[str]) -> set[str]:
        """Save the records with changes, then those that belong to them. Returns the addresses of the
        comparisons that are to be made again.

        `observed`: identities that were up just now, so that none of them is gone.
        """
        conflicts: set[str] = set()
        for is_first in (True, False):
            users: defaultdict[str, list[str]] = defaultdict(list)  # addresses by key
            updates: dict[str, HostUpdate] = {}
            for comparison in comparisons:
                if comparison.address in conflicts:
                    continue
                gone = (update for update in comparison.gone if update.record.key not in observed)
                for update in (*gone, *comparison.first) if is_first else comparison.second:
                    key = update.record.key
                    users[key].append(comparison.address)
                    if key not in updates:
                        updates[key] = self._add_earlier_changes(update)
                    elif updates[key] != update:
                        conflicts.add(comparison.address)
            moved = self.table.save_hosts(self.key, updates.values(), vantage=self.vantage) if updates else []
            conflicts.update(address for key in moved for address in users[key])
        return conflicts

    def _add_earlier_changes(self, update: HostUpdate) -> HostUpdate:
        """With what an earlier element of the host in this report changed."""
        known = update.known
        if not update.changes or known is None or known.latest.scan_id != self.key.scan_id:
            return update
        first = update.changes[0]
        earlier = self._changes_of_earlier_element(first.address)
        same_host = (change for change in earlier if change.identity == first.identity)
        return replace(update, changes=tuple(dict.fromkeys((*same_host, *update.changes))))

    def _compare(
        self,
        record: HostRecord | None,
        observation: Observation,
    ) -> tuple[HostUpdate | None, bool]:
        """What is to be stored, if anything is; and whether the address has a record then."""
        last_scanned = None if record else self._last_scanned(observation)
        updated, changes = apply_observation(record, observation, last_scanned)
        if updated is None or updated is record:
            return None, updated is not None
        if changes and record and record.latest.scan_id == observation.scan_id:
            earlier = self._changes_of_earlier_element(observation.address)
            changes = tuple(dict.fromkeys((*earlier, *changes)))
        revision = record.revision + 1 if record else 1
        new_record = replace(updated, revision=revision)
        return HostUpdate(record=new_record, known=record, changes=changes), True

    def _changes_of_earlier_element(self, address: str) -> Iterator[Change]:
        """What an earlier element of the host in this report changed: one item holds the changes of
        an address.
        """
        parsed = parse_address(address)
        previous_address = str(type(parsed)(int(parsed) - 1)) if int(parsed) else ""
        changes = self.table.changes(self.key.scan_id, self.key.shard, after=previous_address)
        return takewhile(lambda change: change.address == address, changes)

    def _last_scanned(self, observation: Observation) -> Sighting | None:
        """When an address without a record was scanned last: then it was not up. None: never."""
        if not observation.up:
            return None
        number = int(parse_address(observation.address))
        scans = (sighting for (low, high), sighting in self._earlier_scans if low <= number <= high)
        return max(scans, key=lambda sighting: sighting.order, default=None)

    @cached_property
    def _earlier_scans(self) -> list[tuple[Interval, Sighting]]:
        """When the addresses of the shard were scanned before."""
        scanned, table = self.scope_filter.scanned, self.table
        intervals = scanned.intervals()
        scans = (table.asked(scanned.family, low, high, vantage=self.vantage) for low, high in intervals)
        return list(chain.from_iterable(scans))


def _has_identity(observation: Observation, record: HostRecord | None) -> bool:
    """The scan knows the host by an identity, or an earlier one did."""
    return observation.identity is not None or (record is not None and bool(record.identity or record.missed))


def _numbered_addresses(host: Host) -> Iterator[tuple[int, str]]:
    """The host's addresses as numbers and as it writes them, without its MAC address and without
    what is no address.
    """
    for address in host.addresses:
        if address.kind != "mac":
            with suppress(ValueError):
                yield int(parse_address(address.addr)), address.addr
