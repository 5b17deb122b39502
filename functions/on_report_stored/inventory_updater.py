"""A report's hosts, folded into the inventory; what they change is stored with it, and told after.

Each record is stored with its changes in one write, on the condition that nobody changed it since it was read; else it
is read and judged again. A delivery that breaks off anywhere is finished by the next: what was stored is judged to say
nothing new, and the events are made from the stored changes, never from the judging.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import islice, takewhile

from msgspec.structs import replace

from cascan.errors import GatewayUnavailable
from cascan.gateways import ScanTable
from cascan.ids import ReportKey
from cascan.inventory.changes import apply_observation
from cascan.inventory.coverage import ScannedPorts
from cascan.inventory.observations import Absence, observe_absence, observe_host
from cascan.model.host import Host
from cascan.model.inventory import NOT_UP, Change, HostUpdate, Observation, Sighting
from cascan.model.recording import Recording
from cascan.model.shard import Shard
from cascan.nmap.addresses import parse_address
from cascan.nmap.intervals import Interval, merge_intervals
from on_report_stored.scope_filter import ScopeFilter

ADDRESSES_AT_ONCE = 256
MAX_CONFLICTS = 16  # other reports of the same address, stored between our read and our write


@dataclass
class InventoryUpdater:
    """One report on its way into the inventory."""

    key: ReportKey
    seen_at: datetime
    gate: ScopeFilter
    table: ScanTable
    recorded: int = 0  # addresses of the report that have a record
    answered: set[int] = field(default_factory=set)  # addresses of every host element
    _fresh: list[int] = field(default_factory=list)  # of those, the ones since the last note
    _stretches: tuple[tuple[int, int], ...] = ()  # of the report, that were noted

    def go_on(self, before: Recording) -> None:
        """Know what an earlier turn knew."""
        self.noted(before)
        self.recorded = before.recorded
        for low, high in self.table.recorded_addresses(self.key, before):
            self.answered.update(range(low, high + 1))

    def note(self, host: Host) -> bool:
        """The report has an element of the host, recorded or not. False: it had one before."""
        is_first = True
        for address in host.addresses:
            if address.kind != "mac":
                with suppress(ValueError):
                    number = int(parse_address(address.addr))
                    is_first &= number not in self.answered or address.addr != host.address
                    if number not in self.answered:
                        self.answered.add(number)
                        self._fresh.append(number)
        return is_first

    def fresh_addresses(self) -> tuple[Interval, ...]:
        """Those of host elements since the last note."""
        return merge_intervals((number, number) for number in self._fresh)

    def stretches_to(self, offset: int) -> tuple[tuple[int, int], ...]:
        """The stretches of the report that will have been noted when it is noted up to there."""
        return (*self._stretches, (self._stretches[-1][1] if self._stretches else 0, offset))

    def noted(self, recording: Recording) -> None:
        self._stretches = recording.noted
        self._fresh.clear()

    def add(self, hosts: Iterable[Host], asked: ScannedPorts, names: dict[str, str]) -> None:
        """Fold in hosts that may be recorded."""
        observations = (observe_host(host, asked, self.key.scan_id, self.seen_at, names) for host in hosts)
        self._fold([seen for seen in observations if seen])

    def finish(self, shard: Shard, absent: Absence) -> None:
        """Of a report that accounts for every address asked: fold in those it does not have, and note all as asked.

        Only where an address without a host element was not up.
        """
        if shard.run and self.recorded < shard.run.addresses and absent is Absence.NOT_UP:
            self._fold_missing()
            note = Sighting(state=NOT_UP, seen_at=self.seen_at, scan_id=self.key.scan_id)
            self.table.note_asked(self.gate.asked.family, self.gate.asked.intervals(), note)

    def _fold_missing(self) -> None:
        family = self.gate.asked.family
        for low, high in self.gate.asked.intervals():
            addresses = filter(self._is_missing, self.table.known_addresses(family, low, high))
            while some := list(islice(addresses, ADDRESSES_AT_ONCE)):
                self._fold([observe_absence(address, self.key.scan_id, self.seen_at) for address in some])

    def _is_missing(self, address: str) -> bool:
        return int(parse_address(address)) not in self.answered and not self.gate.find_address_refusal(address)

    def _fold(self, observations: list[Observation]) -> None:
        waiting = observations
        for _ in range(MAX_CONFLICTS):
            now: dict[str, Observation] = {}
            later = [seen for seen in waiting if now.setdefault(seen.address, seen) is not seen]  # a host twice
            moved = self._judge_and_save(list(now.values()))
            waiting = [now[address] for address in moved] + later
            if not waiting:
                return
        raise GatewayUnavailable("scan table: other reports kept changing the same addresses")

    def _judge_and_save(self, observations: list[Observation]) -> list[str]:
        known = self.table.known_hosts([seen.address for seen in observations])
        updates = []
        for seen in observations:
            before = known.get(seen.address)
            record, changes = apply_observation(before, seen, None if before else self._asked_before(seen))
            self.recorded += record is not None
            if record is not None and record is not before:
                if changes and before and before.latest.order == seen.order:
                    changes = (*dict.fromkeys((*self._changes_of_earlier_element(seen.address), *changes)),)
                revision = before.revision + 1 if before else 1
                updates.append(HostUpdate(record=replace(record, revision=revision), known=before, changes=changes))
        moved = self.table.save_hosts(self.key, updates) if updates else []
        self.recorded -= len(moved)
        return moved

    def _changes_of_earlier_element(self, address: str) -> Iterator[Change]:
        """What an earlier element of the host in this report changed: one item holds the changes of an address."""
        number = int(parse_address(address))
        before = str(type(parse_address(address))(number - 1)) if number else ""
        changes = self.table.changes(self.key.scan_id, self.key.shard, after=before)
        return takewhile(lambda change: change.address == address, changes)

    def _asked_before(self, seen: Observation) -> Sighting | None:
        """When an address without a record was asked last; then it was not up."""
        if not seen.up:
            return None
        number = int(parse_address(seen.address))
        notes = (asked for (low, high), asked in self._notes if low <= number <= high)
        return max(notes, key=lambda asked: asked.order, default=None)

    @cached_property
    def _notes(self) -> list[tuple[Interval, Sighting]]:
        asked = self.gate.asked
        return [note for low, high in asked.intervals() for note in self.table.asked(asked.family, low, high)]
