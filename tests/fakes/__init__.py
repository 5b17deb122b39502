"""In-memory gateways with the semantics of the real ones: the tests in integration/gateways/ hold for both.

Their state is public, so a test arranges and asserts on plain dicts and lists. `down = True` makes a gateway raise.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from io import BytesIO
from ipaddress import ip_address
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

import msgspec
from msgspec.structs import replace

from cascan.clock import to_wire
from cascan.errors import MalformedMessage
from cascan.events import BusEvent, ShardQueued, ShardReturned
from cascan.findings.by_host import address_key, find_address, read_address_key
from cascan.findings.truncate_finding import truncate_finding
from cascan.gateways import FindingReplacement, Launch, Lookup, ScanPlace
from cascan.ids import ReportKey, results_key
from cascan.limits import MAX_FINDING_BYTES
from cascan.model.agenda import AgendaEntry, Switch
from cascan.model.finding import Finding, FindingLine, HostFindings
from cascan.model.reason import ReasonCode, Reasons
from cascan.model.scan import FINAL_STATES, NO_REASONS, Counts, Outcome, Scan, ScanBrief, ScanState, Suspension
from cascan.model.shard import Lane, Shard, ShardClosing
from cascan.model.usage import ScanCost
from cascan.model.vantage import DEFAULT_VANTAGE, Vantage
from tests.fakes.audit import MemoryAuditList
from tests.fakes.exposures import MemoryExposures
from tests.fakes.history import MemoryHistory
from tests.fakes.inventory import MemoryInventory
from tests.fakes.recordings import MemoryRecordings
from tests.fakes.saved_filters import MemorySavedFilters
from tests.fakes.shards import Breakable, MemoryOperatorItems, MemoryShards, add_closing

Element = tuple[str, int, int, int]  # address, shard, attempt, place
PARSED_STATES = frozenset({ScanState.PARSE_COMPLETED, ScanState.HOOK_PROCESSING})


class MemoryScanTable(
    Breakable,
    MemoryShards,
    MemoryOperatorItems,
    MemoryRecordings,
    MemoryHistory,
    MemoryExposures,
    MemoryAuditList,
    MemorySavedFilters,
    MemoryInventory,
):
    """ScanTable in dicts."""

    def __init__(self) -> None:
        super().__init__()
        self.scans: dict[str, Scan] = {}
        self.shards_by_key: dict[tuple[str, int], Shard] = {}
        self.shard_by_address: dict[tuple[str, str], int] = {}  # of names, which shard counts it
        self.counted_members: set[str] = set()  # scan ids
        self.vantages_by_name: dict[str, Vantage] = {}
        self.agenda: set[AgendaEntry] = set()
        self.halted: Switch | None = None
        self.findings_by_element: dict[tuple[str, Element], tuple[Finding, ...]] = {}

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

    def scan_brief(self, scan_id: str) -> ScanBrief | None:
        scan = self.get_scan(scan_id)
        if scan is None:
            return None
        return ScanBrief(
            state=scan.state, deadline_at=scan.deadline_at, windows=scan.windows, halted=self.halted is not None
        )

    def list_scans(self, limit: int, *, after: ScanPlace | None = None) -> Iterator[Scan]:
        self._reach()
        newest_first = sorted(self.scans.values(), key=lambda s: (to_wire(s.requested_at), s.scan_id), reverse=True)
        behind = (to_wire(after[0]), after[1]) if after else None
        listed = (s for s in newest_first if behind is None or (to_wire(s.requested_at), s.scan_id) < behind)
        return islice(listed, limit)

    def advance_scan(
        self,
        scan_id: str,
        to: ScanState,
        *,
        expected: Iterable[ScanState],
        why: str = "",
        suspension: Suspension | None = None,
    ) -> bool:
        self._reach()
        scan = self.scans.get(scan_id)
        if scan is None or scan.state not in set(expected):
            return False
        self.scans[scan_id] = replace(
            scan, state=to, error_description=why or scan.error_description, suspension=suspension or scan.suspension
        )
        return True

    def close_scan(
        self,
        scan_id: str,
        to: ScanState,
        outcome: Outcome,
        at: datetime,
        error: str = "",
        *,
        reasons: Reasons = NO_REASONS,
        cost: ScanCost | None = None,
    ) -> bool:
        self._reach()
        scan = self.scans.get(scan_id)
        if scan is None or scan.shards_open:
            return False
        half_cancelled = scan.state is to is ScanState.CANCELLED and scan.outcome is None
        if scan.state in FINAL_STATES | PARSED_STATES and not half_cancelled:
            return False
        self.scans[scan_id] = replace(
            scan,
            state=to,
            outcome=outcome,
            finished_at=at,
            error_description=error,
            reasons=reasons,
            cost=cost or scan.cost,
        )
        return True

    def count_member(self, member: Scan, closing: ShardClosing) -> bool:
        self._reach()
        scan = self.scans.get(member.member_of)
        if scan is None or member.scan_id in self.counted_members:
            return False
        self.counted_members.add(member.scan_id)
        self.scans[scan.scan_id] = add_closing(replace(scan, shards_in_flight=scan.shards_in_flight - 1), closing)
        return True

    def mark_announced(self, scan_id: str, *, announced: bool = True) -> None:
        self._reach()
        if scan := self.scans.get(scan_id):
            self.scans[scan_id] = replace(scan, announced=announced)

    def finish_scan(self, scan_id: str, counts: Counts) -> bool:
        self._reach()
        scan = self.scans.get(scan_id)
        if scan is None or scan.state not in PARSED_STATES:
            return False
        self.scans[scan_id] = replace(scan, state=ScanState.DONE, findings=counts)
        return True

    def recount_findings(self, scan_id: str, counts: Counts) -> bool:
        self._reach()
        scan = self.scans.get(scan_id)
        if scan is None or scan.state not in FINAL_STATES:
            return False
        revision = scan.findings_revision + 1
        self.scans[scan_id] = replace(scan, findings=counts, findings_revision=revision)
        return True

    def remove_scan(self, scan_id: str, most: int) -> bool:
        self._reach()
        stores: list[dict[Any, Any]] = [
            self.findings_by_element,
            self.changes_by_key,
            self.shards_by_key,
            self.recordings,
            self.shard_by_address,
        ]
        keys = [(store, key) for store in stores for key in store if key[0] == scan_id]
        for store, key in keys[:most]:
            del store[key]
        if len(keys) > most:
            return False
        self.scans.pop(scan_id, None)
        return True

    # ---- findings

    def put_findings(self, scan_id: str, hosts: Iterable[HostFindings], source: ReportKey | None = None) -> None:
        self._reach()
        shard, attempt = (source.shard, source.attempt) if source else (0, 0)
        for host in hosts:
            element = (address_key(host.address), shard, attempt, host.place)
            self.findings_by_element[scan_id, element] = tuple(_as_stored(given, source) for given in host.findings)

    def replace_findings(self, scan_id: str) -> FindingReplacement:
        return MemoryReplacement(self, scan_id)

    def findings(self, scan_id: str) -> Iterator[Finding]:
        self._reach()
        yield from (finding for _, finding in self._list_findings(scan_id))

    def _list_findings(self, scan_id: str) -> Iterator[tuple[str, Finding]]:
        """Each finding with the key of its host's address."""
        elements = sorted(key for key in self.findings_by_element if key[0] == scan_id)
        latest = {(key[1][0], finding.id): key for key in elements for finding in self.findings_by_element[key]}
        for key in elements:
            for finding in self.findings_by_element[key]:
                if latest[key[1][0], finding.id] == key:
                    yield key[1][0], finding

    def findings_by_host(self, scan_id: str) -> Iterator[tuple[str, Iterable[Finding]]]:
        self._reach()
        for key, group in groupby(self._list_findings(scan_id), key=itemgetter(0)):
            yield read_address_key(key), [finding for _, finding in group]

    def findings_at(self, scan_id: str, addresses: Collection[str]) -> dict[str, list[Finding]]:
        found: defaultdict[str, list[Finding]] = defaultdict(list)
        for finding in self.findings(scan_id):
            address = find_address(finding)
            if address in addresses:
                found[address].append(finding)
        return dict(found)

    @property
    def findings_by_key(self) -> dict[tuple[str, str], Finding]:
        scan_ids = {scan_id for scan_id, _ in self.findings_by_element}
        return {(scan_id, finding.id): finding for scan_id in scan_ids for finding in self.findings(scan_id)}


def _as_stored(given: Finding | FindingLine, source: ReportKey | None) -> Finding:
    finding = msgspec.json.decode(given.encoded, type=Finding) if isinstance(given, FindingLine) else given
    fits = len(msgspec.json.encode(finding)) <= MAX_FINDING_BYTES
    return finding if fits else truncate_finding(finding, source)


class MemoryReplacement:
    """FindingReplacement in the dict of a MemoryScanTable."""

    def __init__(self, table: MemoryScanTable, scan_id: str) -> None:
        self._table, self._scan_id = table, scan_id
        self._written: set[Any] = set()

    def put(self, hosts: Iterable[HostFindings], source: ReportKey | None = None) -> None:
        put_alone = MemoryScanTable()
        put_alone.put_findings(self._scan_id, hosts, source)
        self._table.findings_by_element.update(put_alone.findings_by_element)
        self._written |= put_alone.findings_by_element.keys()

    def remove_others(self) -> None:
        elements = [key for key in self._table.findings_by_element if key[0] == self._scan_id]
        for key in elements:
            if key not in self._written:
                del self._table.findings_by_element[key]


class MemoryReportStore(Breakable):
    """ReportStore in dicts, by object key."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.metadata: dict[str, dict[str, str]] = {}
        self.content_types: dict[str, str] = {}
        self.records_by_key: dict[tuple[str, str], bytes] = {}

    def put_report(self, key: ReportKey, path: Path, metadata: Mapping[str, str]) -> None:
        self._reach()
        self.objects[str(key)] = path.read_bytes()
        self.metadata[str(key)] = dict(metadata)
        self.content_types[str(key)] = "application/xml"

    def open_report(self, key: ReportKey, start: int = 0) -> IO[bytes]:
        self._reach()
        if str(key) not in self.objects:
            raise MalformedMessage(f"there is no report {key}")
        return BytesIO(self.objects[str(key)][start:])

    def report_metadata(self, key: ReportKey) -> Mapping[str, str]:
        self._reach()
        if str(key) not in self.objects:
            raise MalformedMessage(f"there is no report {key}")
        return self.metadata.get(str(key), {})

    def report_keys(self, scan_id: str) -> Iterator[ReportKey]:
        self._reach()
        return iter(sorted(ReportKey.parse(key) for key in self.objects if key.startswith(f"reports/{scan_id}/")))

    def put_record(self, scan_id: str, name: str, body: Iterable[bytes]) -> None:
        self._reach()
        self.records_by_key[scan_id, name] = b"".join(body)

    def open_record(self, scan_id: str, name: str) -> IO[bytes] | None:
        self._reach()
        record = self.records_by_key.get((scan_id, name))
        return None if record is None else BytesIO(record)

    def records(self, scan_id: str) -> Iterator[str]:
        self._reach()
        return iter(sorted(name for of, name in self.records_by_key if of == scan_id))

    def recorded_scans(self) -> Iterator[str]:
        self._reach()
        return iter(sorted({of for of, _ in self.records_by_key}))

    def remove_scan(self, scan_id: str, most: int) -> bool:
        self._reach()
        stores: list[tuple[dict[Any, Any], Any]] = [
            *((self.objects, key) for key in self.objects if key.split("/")[1] == scan_id),
            *((self.records_by_key, key) for key in self.records_by_key if key[0] == scan_id),
        ]
        for store, key in stores[:most]:
            del store[key]
        return len(stores) <= most

    def put_result(self, scan_id: str, name: str, body: Iterable[bytes], content_type: str) -> None:
        self._reach()
        self.objects[results_key(scan_id, name)] = b"".join(body)
        self.content_types[results_key(scan_id, name)] = content_type


class MemoryOperatorRecords(Breakable):
    """OperatorRecords in a dict."""

    def __init__(self) -> None:
        self.texts: dict[str, bytes] = {}

    def put(self, name: str, text: bytes) -> None:
        self._reach()
        self.texts[name] = text

    def get(self, name: str) -> bytes | None:
        self._reach()
        return self.texts.get(name)

    def names(self, prefix: str) -> Iterator[str]:
        self._reach()
        return iter(sorted(name for name in self.texts if name.startswith(prefix)))

    def remove(self, name: str) -> None:
        self._reach()
        self.texts.pop(name, None)


class MemoryEventBus(Breakable):
    """EventBus that remembers what was put, in order."""

    def __init__(self) -> None:
        self.events: list[BusEvent] = []

    def put(self, events: Iterable[BusEvent]) -> None:
        self._reach()
        self.events.extend(events)


class _SentByVantage(defaultdict[tuple[str, Lane], list[ShardQueued]]):
    """Messages by vantage and lane; those of the stack's own workers are in a dict of their own."""

    def __init__(self, of_stack: defaultdict[Lane, list[ShardQueued]]) -> None:
        super().__init__(list)
        self._of_stack = of_stack

    def __missing__(self, key: tuple[str, Lane]) -> list[ShardQueued]:
        vantage, lane = key
        return self._of_stack[lane] if vantage == DEFAULT_VANTAGE else super().__missing__(key)


class MemoryShardQueues(Breakable):
    """ShardQueues whose messages wait until the test takes them from `sent`."""

    def __init__(self) -> None:
        self.sent: defaultdict[Lane, list[ShardQueued]] = defaultdict(list)  # to the stack's own workers
        self.sent_to = _SentByVantage(self.sent)
        self.delays_s: list[int] = []  # of each call, the delays included
        self.held_by_workers: defaultdict[Lane, int] = defaultdict(int)  # messages, as the test says

    def send(
        self, lane: Lane, messages: Iterable[ShardQueued], *, delay_s: int = 0, vantage: str = DEFAULT_VANTAGE
    ) -> None:
        self._reach()
        self.sent_to[vantage, lane].extend(messages)
        self.delays_s.append(delay_s)

    def waiting(self, lane: Lane) -> int:
        self._reach()
        return len(self.sent[lane])

    def held(self, lane: Lane) -> int:
        self._reach()
        return self.held_by_workers[lane]


class MemoryReturnedShards(Breakable):
    """ReturnedShards whose messages wait until the test takes them."""

    def __init__(self) -> None:
        self.sent: list[ShardReturned] = []
        self.parked: list[tuple[str, str]] = []  # with the reasons

    def send(self, message: ShardReturned) -> None:
        self._reach()
        self.sent.append(message)

    def park(self, body: str, reason: str) -> None:
        self._reach()
        self.parked.append((body, reason))


class MemoryFleet(Breakable):
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
    """Resolver with a fixed answer for each name: addresses of both families, or a Lookup. No other name exists."""

    def __init__(self, names: Mapping[str, Iterable[str] | Lookup]) -> None:
        self.names = dict(names)
        self.asked: list[tuple[str, int]] = []

    def look_up(self, names: Iterable[str], family: int, give_up: Callable[[], object] = bool) -> Mapping[str, Lookup]:
        self.asked += ((name, family) for name in names)
        return {name: self._lookup(name, family) for name in names}

    def _lookup(self, name: str, family: int) -> Lookup:
        answer, stem = self.names.get(name), name.removesuffix(".")
        if isinstance(answer, Lookup):
            return answer
        if answer is None:
            why = "DNS has no such name (NXDOMAIN)"
            return Lookup(asked=stem, failure=ReasonCode.NAME_NOT_FOUND, why=why)
        addresses = tuple(dict.fromkeys(a for a in answer if ip_address(a).version == family))
        if addresses:
            return Lookup(asked=stem, addresses=addresses)
        return Lookup(asked=stem, failure=ReasonCode.NAME_WITHOUT_ADDRESS, why="DNS has no address for it")


def dns_failure(name: str, why: str = "DNS failed: SERVFAIL from 192.0.2.53") -> Lookup:
    """The lookup of a name that DNS gave no answer for."""
    return Lookup(asked=name, failure=ReasonCode.LOOKUP_FAILED, why=why)
