"""In-memory gateways with the semantics of the real ones: the tests in integration/gateways/ hold for both.

Their state is public, so a test arranges and asserts on plain dicts and lists. `down = True` makes a gateway raise.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from io import BytesIO
from ipaddress import ip_address
from itertools import islice
from pathlib import Path
from typing import IO

import msgspec
from msgspec.structs import replace

from cascan.clock import to_wire
from cascan.errors import GatewayUnavailable, MalformedMessage
from cascan.events import BusEvent, ShardQueued
from cascan.findings.cut import cut_down
from cascan.gateways import Launch
from cascan.ids import ReportKey, results_key
from cascan.limits import MAX_FINDING_BYTES
from cascan.model.finding import Finding
from cascan.model.inventory import PortRecord, Sighting
from cascan.model.scan import FINAL_STATES, Counts, Outcome, Scan, ScanState
from cascan.model.shard import OPEN_STATES, Lane, NmapRun, Shard, ShardClosing, ShardState

PARSED_STATES = frozenset({ScanState.PARSE_COMPLETED, ScanState.HOOK_PROCESSING})


class _Breakable:
    """A gateway that a test can take down."""

    down = False

    def _reach(self) -> None:
        if self.down:
            raise GatewayUnavailable(f"{type(self).__name__} is down")


class MemoryScanTable(_Breakable):
    """ScanTable in dicts."""

    def __init__(self) -> None:
        self.scans: dict[str, Scan] = {}
        self.shards_by_key: dict[tuple[str, int], Shard] = {}
        self.findings_by_key: dict[tuple[str, str], Finding] = {}
        self.ports_by_key: dict[tuple[str, str, int], PortRecord] = {}

    # ---- scans

    def create_scan(self, scan: Scan) -> bool:
        self._reach()
        if scan.scan_id in self.scans:
            return False
        self.scans[scan.scan_id] = scan
        return True

    def get_scan(self, scan_id: str) -> Scan | None:
        self._reach()
        return self.scans.get(scan_id)

    def list_scans(self, limit: int) -> Iterator[Scan]:
        self._reach()
        newest_first = sorted(self.scans.values(), key=lambda s: (to_wire(s.requested_at), s.scan_id), reverse=True)
        return islice(iter(newest_first), limit)

    def advance_scan(self, scan_id: str, to: ScanState, *, frm: Iterable[ScanState]) -> bool:
        self._reach()
        scan = self.scans.get(scan_id)
        if scan is None or scan.state not in set(frm):
            return False
        self.scans[scan_id] = replace(scan, state=to)
        return True

    def close_scan(self, scan_id: str, to: ScanState, outcome: Outcome, at: datetime, error: str = "") -> bool:
        self._reach()
        scan = self.scans.get(scan_id)
        if scan is None or scan.shards_open or scan.state in FINAL_STATES | PARSED_STATES:
            return False
        self.scans[scan_id] = replace(scan, state=to, outcome=outcome, finished_at=at, error_description=error)
        return True

    def mark_announced(self, scan_id: str) -> None:
        self._reach()
        if scan := self.scans.get(scan_id):
            self.scans[scan_id] = replace(scan, announced=True)

    def finish_scan(self, scan_id: str, counts: Counts) -> bool:
        self._reach()
        scan = self.scans.get(scan_id)
        if scan is None or scan.state not in PARSED_STATES:
            return False
        self.scans[scan_id] = replace(scan, state=ScanState.DONE, findings=counts)
        return True

    # ---- shards

    def add_shards(self, shards: Iterable[Shard]) -> None:
        self._reach()
        for shard in shards:
            self.shards_by_key.setdefault((shard.scan_id, shard.number), shard)

    def shards(self, scan_id: str) -> Iterator[Shard]:
        self._reach()
        return iter([shard for key, shard in sorted(self.shards_by_key.items()) if key[0] == scan_id])

    def get_shard(self, scan_id: str, number: int) -> Shard | None:
        self._reach()
        return self.shards_by_key.get((scan_id, number))

    def claim_shard(self, scan_id: str, number: int, attempt: int, worker: str) -> Shard | None:
        shard = self.get_shard(scan_id, number)
        if shard is None:
            return None
        is_left = shard.state in (ShardState.RUNNING, ShardState.REPORTED) and shard.attempt < attempt
        if shard.state is not ShardState.QUEUED and not is_left:
            return None
        return self._store(replace(shard, state=ShardState.RUNNING, attempt=attempt, worker=worker))

    def report_shard(self, scan_id: str, number: int, attempt: int, run: NmapRun) -> bool:
        shard = self.get_shard(scan_id, number)
        if shard is None or shard.attempt != attempt or shard.state not in {ShardState.RUNNING, ShardState.REPORTED}:
            return False
        self._store(replace(shard, state=ShardState.REPORTED, run=run))
        return True

    def close_shard(self, scan_id: str, number: int, closing: ShardClosing) -> bool:
        shard, scan = self.get_shard(scan_id, number), self.get_scan(scan_id)
        if shard is None or scan is None or shard.state not in OPEN_STATES:
            return False
        ended = {"state": closing.state, "outcome": closing.outcome, "error_description": closing.error_description}
        self._store(replace(shard, **ended))
        self.scans[scan_id] = replace(
            scan,
            shards_open=scan.shards_open - 1,
            shard_outcomes=_sum(scan.shard_outcomes, {closing.outcome.value: 1}),
            hosts_up=scan.hosts_up + closing.hosts_up,
            findings=Counts(
                count=scan.findings.count + closing.findings,
                severities=_sum(scan.findings.severities, closing.severities),
                categories=_sum(scan.findings.categories, closing.categories),
            ),
        )
        return True

    def _store(self, shard: Shard) -> Shard:
        self.shards_by_key[shard.scan_id, shard.number] = shard
        return shard

    # ---- findings and inventory

    def put_findings(self, scan_id: str, findings: Iterable[Finding], source: ReportKey | None = None) -> None:
        self._reach()
        for finding in findings:
            fits = len(msgspec.json.encode(finding)) <= MAX_FINDING_BYTES
            self.findings_by_key[scan_id, finding.id] = finding if fits else cut_down(finding, source)

    def findings(self, scan_id: str) -> Iterator[Finding]:
        self._reach()
        return iter([self.findings_by_key[key] for key in sorted(self.findings_by_key) if key[0] == scan_id])

    def record_sightings(self, sightings: Iterable[Sighting]) -> None:
        self._reach()
        for seen in sightings:
            key = (seen.address, seen.protocol, seen.port)
            known = self.ports_by_key.get(key, PortRecord(latest=seen, first_seen=seen.seen_at))
            self.ports_by_key[key] = PortRecord(
                latest=max(known.latest, seen, key=lambda s: (s.seen_at, s.scan_id)),
                first_seen=min(known.first_seen, seen.seen_at),
            )

    def ports(self, address: str) -> Iterator[PortRecord]:
        self._reach()
        return iter([self.ports_by_key[key] for key in sorted(self.ports_by_key) if key[0] == address])


def _sum(counts: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    return dict(Counter(counts) + Counter(more))


class MemoryReportStore(_Breakable):
    """ReportStore in dicts, by object key."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.metadata: dict[str, dict[str, str]] = {}
        self.content_types: dict[str, str] = {}

    def put_report(self, key: ReportKey, path: Path, metadata: Mapping[str, str]) -> None:
        self._reach()
        self.objects[str(key)] = path.read_bytes()
        self.metadata[str(key)] = dict(metadata)
        self.content_types[str(key)] = "application/xml"

    def open_report(self, key: ReportKey) -> IO[bytes]:
        self._reach()
        if str(key) not in self.objects:
            raise MalformedMessage(f"there is no report {key}")
        return BytesIO(self.objects[str(key)])

    def report_keys(self, scan_id: str) -> Iterator[ReportKey]:
        self._reach()
        return iter(sorted(ReportKey.parse(key) for key in self.objects if key.startswith(f"reports/{scan_id}/")))

    def put_result(self, scan_id: str, name: str, body: Iterable[bytes], content_type: str) -> None:
        self._reach()
        self.objects[results_key(scan_id, name)] = b"".join(body)
        self.content_types[results_key(scan_id, name)] = content_type


class MemoryEventBus(_Breakable):
    """EventBus that remembers what was put, in order."""

    def __init__(self) -> None:
        self.events: list[BusEvent] = []

    def put(self, events: Iterable[BusEvent]) -> None:
        self._reach()
        self.events.extend(events)


class MemoryShardQueues(_Breakable):
    """ShardQueues whose messages wait until the test takes them from `sent`."""

    def __init__(self) -> None:
        self.sent: defaultdict[Lane, list[ShardQueued]] = defaultdict(list)

    def send(self, lane: Lane, messages: Iterable[ShardQueued]) -> None:
        self._reach()
        self.sent[lane].extend(messages)

    def waiting(self, lane: Lane) -> int:
        self._reach()
        return len(self.sent[lane])


class MemoryFleet(_Breakable):
    """Fleet whose workers run until the test changes `workers`."""

    def __init__(self) -> None:
        self.workers: Counter[Lane] = Counter()
        self.launches: dict[tuple[Lane, str], int] = {}  # by lane and token
        self.on_spot: list[bool] = []  # of each launch

    def running(self, lane: Lane) -> int:
        self._reach()
        return self.workers[lane]

    def launch(self, lane: Lane, count: int, token: str, *, spot: bool = True) -> Launch:
        self._reach()
        if (lane, token) not in self.launches:
            self.launches[lane, token] = count
            self.workers[lane] += count
            self.on_spot.append(spot)
        return Launch(self.launches[lane, token])


class FixedResolver:
    """Resolver with a fixed answer for each name: addresses of both families."""

    def __init__(self, names: Mapping[str, Iterable[str]]) -> None:
        self.names = {name: tuple(dict.fromkeys(addresses)) for name, addresses in names.items()}

    def addresses(self, name: str, family: int) -> tuple[str, ...]:
        return tuple(a for a in self.names.get(name, ()) if ip_address(a).version == family)
