"""The parts of MemoryScanTable that are about shards, the agenda and the switch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from cascan.errors import GatewayUnavailable
from cascan.ids import derive_shard_token
from cascan.model.agenda import AgendaEntry, Switch
from cascan.model.identity import StoredNetworks
from cascan.model.scan import FINAL_STATES, UNDER_WAY, Counts, Scan
from cascan.model.shard import (
    IN_FLIGHT,
    LOST,
    NmapRun,
    Progress,
    ProposedCut,
    Shard,
    ShardClosing,
    ShardCut,
    ShardReturn,
    ShardState,
    split_shard,
)
from cascan.model.vantage import Vantage
from cascan.rules.severity import StoredRules
from cascan.scans import transitions as life_cycle


class Breakable:
    """A gateway that a test can take down."""

    down = False

    def _reach(self) -> None:
        if self.down:
            raise GatewayUnavailable(f"{type(self).__name__} is down")


class MemoryShards:
    scans: dict[str, Scan]
    shards_by_key: dict[tuple[str, int], Shard]
    shard_by_address: dict[tuple[str, str], int]

    def _reach(self) -> None:
        raise NotImplementedError

    def add_shards(self, shards: Iterable[Shard]) -> None:
        self._reach()
        for shard in shards:
            self.shards_by_key.setdefault((shard.scan_id, shard.number), shard)

    def shards(self, scan_id: str) -> Iterator[Shard]:
        self._reach()
        return iter([shard for key, shard in sorted(self.shards_by_key.items()) if key[0] == scan_id])

    def list_shards_in(self, scan_id: str, state: ShardState) -> Iterator[Shard]:
        return iter([shard for shard in self.shards(scan_id) if shard.state is state])

    def get_shard(self, scan_id: str, number: int, *, token: str = "") -> Shard | None:
        self._reach()
        scan = self.scans.get(scan_id)
        if token and (scan is None or token != derive_shard_token(scan.shard_secret, number)):
            return None
        return self.shards_by_key.get((scan_id, number))

    def release_shard(self, scan_id: str, number: int) -> bool:
        shard, scan = self.get_shard(scan_id, number), self.scans.get(scan_id)
        if shard is None or scan is None or shard.state not in life_cycle.RELEASE.expected:
            return False
        if scan.state not in UNDER_WAY or scan.shards_in_flight >= scan.parallel:
            return False
        self._store(replace(shard, state=ShardState.QUEUED))
        return self._count(scan_id, shards_waiting=-1, shards_in_flight=1)

    def hold_shard(self, scan_id: str, number: int) -> bool:
        shard = self.get_shard(scan_id, number)
        if shard is None or scan_id not in self.scans or shard.state not in life_cycle.HOLD.expected:
            return False
        self._store(replace(shard, state=ShardState.WAITING))
        return self._count(scan_id, shards_waiting=1, shards_in_flight=-1)

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
        shard = self.get_shard(scan_id, number, token=token)
        if shard is None:
            return None
        held = {"worker": worker, "message_id": message_id, "lease_until": lease_until, "progress": None}
        held["claimed_at"] = shard.claimed_at or now
        running = replace(shard, state=ShardState.RUNNING, attempt=shard.attempt + 1, **held)
        if shard.state in life_cycle.CLAIM.expected:
            return self._store(running)
        is_left = shard.lease_until is None or shard.lease_until <= now or shard.message_id == message_id
        if shard.state in life_cycle.TAKE_OVER.expected and is_left:
            return self._store(replace(running, failures=shard.failures + 1, error_description=LOST))
        return None

    def beat(
        self,
        scan_id: str,
        number: int,
        attempt: int,
        *,
        lease_until: datetime,
        progress: Progress | None = None,
        token: str = "",
    ) -> bool:
        shard = self._held(life_cycle.BEAT, scan_id, number, attempt, token)
        if shard:
            self._store(replace(shard, lease_until=lease_until, progress=progress or shard.progress))
        return shard is not None

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
        shard = self._held(life_cycle.REPORT, scan_id, number, attempt, token)
        if shard:
            self._store(replace(shard, state=ShardState.REPORTED, run=run, cut=cut))
        return shard is not None

    def cut_shard(self, scan_id: str, number: int, attempt: int, cut: ShardCut) -> Shard | None:
        shard, scan = self._held(life_cycle.CUT, scan_id, number, attempt), self.scans.get(scan_id)
        if shard is None or shard.cut is None or scan is None or scan.state in FINAL_STATES:
            return None
        done, rest = split_shard(shard, cut, scan.shards)
        self._store(done)
        self._store(rest)
        waits = rest.state is ShardState.WAITING
        self._count(scan_id, shards=1, shards_open=1, shards_waiting=int(waits), shards_in_flight=int(not waits))
        return rest

    def move_shard(self, scan_id: str, number: int) -> str:
        """The fake has one place for shards of every layout."""
        return derive_shard_token(self.scans[scan_id].shard_secret, number) if self.get_shard(scan_id, number) else ""

    def find_moved_token(self, scan_id: str, number: int) -> str:
        return ""

    def return_shard(self, scan_id: str, number: int, attempt: int, back: ShardReturn) -> Shard | None:
        shard = self._held(life_cycle.RETURN, scan_id, number, attempt)
        if shard is None or scan_id not in self.scans:
            return None
        if back.to is ShardState.WAITING:
            self._count(scan_id, shards_waiting=1, shards_in_flight=-1)
        return self._store(
            replace(
                shard,
                state=back.to,
                failures=shard.failures + back.failed,
                lease_until=None,
                claimed_at=None,
                usage=shard.usage + back.usage,
                progress=None,
                error_description=back.error_description or shard.error_description,
                stderr=back.stderr or shard.stderr,
            )
        )

    def close_shard(self, scan_id: str, number: int, closing: ShardClosing) -> bool:
        shard, scan = self.get_shard(scan_id, number), self.scans.get(scan_id)
        if shard is None or scan is None or shard.state not in life_cycle.CLOSE.expected:
            return False
        ended = {"state": closing.state, "outcome": closing.outcome, "error_description": closing.error_description}
        self._store(replace(shard, progress=None, cut=None, reasons=closing.reasons_at(number), **ended))
        in_flight = shard.state in IN_FLIGHT
        self._count(scan_id, shards_waiting=-int(not in_flight), shards_in_flight=-int(in_flight))
        self.scans[scan_id] = add_closing(self.scans[scan_id], closing)
        return True

    def close_shards(self, scan_id: str, shards: Iterable[Shard], closing: ShardClosing) -> int:
        return sum(
            self.close_shard(scan_id, shard.number, replace(closing, usage=shard.total_usage(closing.closed_at)))
            for shard in list(shards)
        )

    def count_addresses(self, scan_id: str, number: int, addresses: Collection[str]) -> frozenset[str]:
        self._reach()
        counted = {a: self.shard_by_address.setdefault((scan_id, a), number) for a in addresses}
        return frozenset(address for address, by in counted.items() if by != number)

    def _held(self, move: life_cycle.Move, scan_id: str, number: int, attempt: int, token: str = "") -> Shard | None:
        shard = self.get_shard(scan_id, number, token=token)
        return shard if shard and shard.state in move.expected and shard.attempt == attempt else None

    def _store(self, shard: Shard) -> Shard:
        self.shards_by_key[shard.scan_id, shard.number] = shard
        return shard

    def _count(self, scan_id: str, **more: int) -> bool:
        scan: Any = self.scans[scan_id]
        self.scans[scan_id] = replace(scan, **{name: getattr(scan, name) + count for name, count in more.items()})
        return True


class MemoryOperatorItems:
    agenda: set[AgendaEntry]
    halted: Switch | None
    rules_on_findings: StoredRules | None = None
    stored_networks: StoredNetworks | None = None
    vantages_by_name: dict[str, Vantage]

    def _reach(self) -> None:
        raise NotImplementedError

    def add_to_agenda(self, entry: AgendaEntry) -> None:
        self._reach()
        self.agenda.add(entry)

    def due(self, now: datetime, limit: int) -> Iterator[AgendaEntry]:
        self._reach()
        ripe = sorted((e for e in self.agenda if e.due_at <= now), key=lambda e: (e.due_at, e.scan_id, e.task))
        return iter(ripe[:limit])

    def done(self, entry: AgendaEntry) -> None:
        self._reach()
        self.agenda.discard(entry)

    def switch(self) -> Switch | None:
        self._reach()
        return self.halted

    def halt(self, switch: Switch) -> None:
        self._reach()
        self.halted = switch

    def lift(self) -> None:
        self._reach()
        self.halted = None

    def vantages(self) -> Iterator[Vantage]:
        self._reach()
        return iter([self.vantages_by_name[name] for name in sorted(self.vantages_by_name)])

    def get_vantage(self, name: str) -> Vantage | None:
        self._reach()
        return self.vantages_by_name.get(name)

    def put_vantage(self, vantage: Vantage) -> None:
        self._reach()
        self.vantages_by_name[vantage.name] = vantage

    def network_identities(self) -> StoredNetworks | None:
        self._reach()
        return self.stored_networks

    def put_network_identities(self, stored: StoredNetworks) -> bool:
        self._reach()
        if stored.version - 1 != (self.stored_networks.version if self.stored_networks else 0):
            return False
        self.stored_networks = stored
        return True

    def severity_rules(self) -> StoredRules | None:
        self._reach()
        return self.rules_on_findings

    def put_severity_rules(self, stored: StoredRules) -> bool:
        self._reach()
        if stored.version - 1 != (self.rules_on_findings.version if self.rules_on_findings else 0):
            return False
        self.rules_on_findings = stored
        return True


def add_closing(scan: Scan, closing: ShardClosing) -> Scan:
    """The scan with one open shard less, and what it found more."""
    return replace(
        scan,
        shards_open=scan.shards_open - 1,
        shard_outcomes=_sum(scan.shard_outcomes, {closing.outcome.value: 1}),
        hosts_up=scan.hosts_up + closing.hosts_up,
        extra_addresses=scan.extra_addresses + closing.extra_addresses,
        usage=scan.usage + closing.usage,
        changes=_sum(scan.changes, closing.changes),
        findings=Counts(
            count=scan.findings.count + closing.findings,
            severities=_sum(scan.findings.severities, closing.severities),
            categories=_sum(scan.findings.categories, closing.categories),
        ),
    )


def _sum(counts: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    return dict(Counter(counts) + Counter(more))
