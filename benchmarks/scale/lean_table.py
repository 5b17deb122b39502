"""ScanTable for a million shards: those that wait or are closed take one byte each.

The moves are those of tests/fakes. Each move is charged with the write units of the real table, by
the sizes of the real items: twice in a transaction, and once more for the index.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from math import ceil

import msgspec
from msgspec.structs import replace

from cascan.aws.tables.items import scan_item
from cascan.model.agenda import AgendaEntry
from cascan.model.scan import Scan, ScanState, Suspension
from cascan.model.shard import IN_FLIGHT, NmapRun, ProposedCut, Shard, ShardClosing, ShardState
from tests.fakes import MemoryScanTable

KB = 1024
IN_TRANSACTION = 2  # DynamoDB charges a write in a transaction twice
SCANS_INDEX = "index scans"  # one partition lists all scans, with their counters
STATES = list(ShardState)
CODES = {state: number for number, state in enumerate(STATES)}
WAITING = CODES[ShardState.WAITING]


class LeanScanTable(MemoryScanTable):
    """`writes`: what was written since `take_writes`, in write units by partition."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: Counter[str] = Counter()
        self.waiting = 0  # shards of all scans that wait in the table
        self.most_in_flight = 0  # of one scan
        self._states: dict[str, bytearray] = {}
        self._planned: dict[str, Shard] = {}  # one shard of each scan: the others differ in targets alone
        self._in_flight: dict[tuple[str, int], Shard] = {}
        self._scan_units: dict[str, int] = {}

    def take_writes(self) -> Counter[str]:
        writes, self.writes = self.writes, Counter()
        return writes

    # ---- scans

    def create_scan(self, scan: Scan) -> bool:
        self._scan_units[scan.scan_id] = ceil(len(msgspec.json.encode(scan_item(scan))) / KB)
        self._charge_scan(scan.scan_id)
        return super().create_scan(scan)

    def advance_scan(
        self,
        scan_id: str,
        to: ScanState,
        *,
        expected: Iterable[ScanState],
        why: str = "",
        suspension: Suspension | None = None,
    ) -> bool:
        self._charge_scan(scan_id)
        return super().advance_scan(scan_id, to, expected=expected, why=why, suspension=suspension)

    def add_to_agenda(self, entry: AgendaEntry) -> None:
        """Charge it, and drop it: no message is lost here, and no scan has a deadline."""
        self.writes["agenda"] += 1

    # ---- shards

    def add_shards(self, shards: Iterable[Shard]) -> None:
        for shard in shards:
            states = self._states.setdefault(shard.scan_id, bytearray())
            self._planned.setdefault(shard.scan_id, shard)
            if shard.number != len(states):  # a repeated delivery
                continue
            states.append(CODES[shard.state])
            if shard.state is ShardState.WAITING:
                self.waiting += 1
            else:
                self._in_flight[shard.scan_id, shard.number] = shard

    def shards(self, scan_id: str) -> Iterator[Shard]:
        numbers = range(len(self._states.get(scan_id, b"")))
        return (shard for number in numbers if (shard := self.get_shard(scan_id, number)))

    def list_shards_in(self, scan_id: str, state: ShardState) -> Iterator[Shard]:
        states, number = self._states[scan_id], -1
        while (number := states.find(CODES[state], number + 1)) >= 0:
            if shard := self.get_shard(scan_id, number):
                yield shard

    def get_shard(self, scan_id: str, number: int, *, token: str = "") -> Shard | None:
        held = self._in_flight.get((scan_id, number))
        if held or scan_id not in self._states:
            return held
        state = STATES[self._states[scan_id][number]]
        return replace(self._planned[scan_id], number=number, state=state)

    def release_shard(self, scan_id: str, number: int) -> bool:
        released = super().release_shard(scan_id, number)
        if released:
            self.writes[f"shard/{scan_id}"] += IN_TRANSACTION
            self.writes[f"index waiting/{scan_id}"] += 1
            self._charge_scan(scan_id, IN_TRANSACTION)
            self.most_in_flight = max(self.most_in_flight, self.scans[scan_id].shards_in_flight)
        return released

    def claim_shard(
        self,
        scan_id: str,
        number: int,
        *,
        worker: str,
        message_id: str,
        lease_until: datetime,
        now: datetime,
        token: str = "",
    ) -> Shard | None:
        self.writes[f"shard/{scan_id}"] += 1
        return super().claim_shard(
            scan_id, number, worker=worker, message_id=message_id, lease_until=lease_until, now=now
        )

    def report_shard(
        self,
        scan_id: str,
        number: int,
        attempt: int,
        run: NmapRun,
        cut: ProposedCut | None = None,
        *,
        token: str = "",
    ) -> bool:
        self.writes[f"shard/{scan_id}"] += 1
        return super().report_shard(scan_id, number, attempt, run, cut)

    def close_shard(self, scan_id: str, number: int, closing: ShardClosing) -> bool:
        self.writes[f"shard/{scan_id}"] += IN_TRANSACTION
        self._charge_scan(scan_id, IN_TRANSACTION)
        return super().close_shard(scan_id, number, closing)

    def _store(self, shard: Shard) -> Shard:
        key, states = (shard.scan_id, shard.number), self._states[shard.scan_id]
        self.waiting += (shard.state is ShardState.WAITING) - (states[shard.number] == WAITING)
        states[shard.number] = CODES[shard.state]
        if shard.state in IN_FLIGHT:
            self._in_flight[key] = shard
        else:
            self._in_flight.pop(key, None)
        return shard

    def _charge_scan(self, scan_id: str, times: int = 1) -> None:
        """The scan's item, and its copy in the index."""
        units = self._scan_units[scan_id]
        self.writes[f"scan/{scan_id}"] += times * units
        self.writes[SCANS_INDEX] += units
