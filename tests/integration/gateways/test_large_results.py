"""Large results: many ports on one host, many hosts in one report, much text from one script.

Nothing is lost on the way, no item is larger than DynamoDB takes, no partition gets them all, and memory stays flat.
"""

from __future__ import annotations

import json
import random
import tracemalloc
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, Any

import pytest
from botocore.awsrequest import AWSResponse

from cascan.aws import clients
from cascan.aws.dynamodb.batch_write import MAX_BATCH_BYTES
from cascan.aws.tables.finding_items import read_lines
from cascan.aws.tables.items import ScanLayout, choose_spread
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.findings import build_findings
from cascan.ids import ReportKey
from cascan.limits import MAX_FINDING_BYTES
from cascan.model.finding import HostFindings
from cascan.model.inventory import HostUpdate
from cascan.model.shard import NmapRun, TargetSlice
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.nmap.report.read import read_report
from cascan.permissions.scope import Scope
from on_report_stored.record_report import record_report
from on_report_stored.scope_filter import ScopeFilter
from tests.fakes import MemoryReportStore, MemoryScanTable
from tests.integration.gateways.conftest import TABLE
from tests.integration.gateways.examples import SCAN_ID, a_scan, a_shard
from tests.unit.cascan.nmap.report.test_damage import trickle

AT = datetime(2026, 3, 1, tzinfo=UTC)
MAX_ITEM_BYTES = 400 * 1024  # by the service, names and values together
OPERATION = "before-send.dynamodb.BatchWriteItem"
KEY = ReportKey(SCAN_ID, 0, 1)


@dataclass
class Sink:
    """Takes every batch in the table's place, and keeps sums of them alone."""

    items: int = 0
    ids: set[int] = field(default_factory=set)
    partitions: Counter[str] = field(default_factory=Counter)
    largest_item: int = 0
    largest_batch: int = 0
    kept: list[dict[str, Any]] = field(default_factory=list)  # those that were cut

    def take(self, request: Any, **_: Any) -> AWSResponse:
        self.largest_batch = max(self.largest_batch, len(request.body))
        for put in next(iter(json.loads(request.body)["RequestItems"].values())):
            item = put["PutRequest"]["Item"]
            self.items += 1
            lines = read_lines(item)
            self.ids.update(hash(line[7:43]) for line in lines)
            self.partitions[item["pk"]["S"]] += 1
            self.largest_item = max(self.largest_item, len(json.dumps(item)))
            self.kept += [json.loads(line) for line in lines if b'"cut":{' in line]
        no_headers: Any = {}
        return AWSResponse(request.url, 200, no_headers, _Body())


class _Body:
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield b"{}"


@pytest.fixture
def sink(moto_clients: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    taking = Sink()
    hooks: Any = clients.dynamodb().meta.events
    hooks.register_first(OPERATION, taking.take)
    yield taking
    hooks.unregister(OPERATION, taking.take)


def a_report(hosts: Iterable[bytes]) -> IO[bytes]:
    def chunks() -> Iterator[bytes]:
        yield b'<nmaprun scanner="nmap" version="7.93" args="nmap">'
        yield from hosts
        yield b"</nmaprun>"

    return trickle(chunks())


def a_host(number: int, *ports: bytes) -> bytes:
    address = b"10.%d.%d.%d" % (number >> 16 & 255, number >> 8 & 255, number & 255)
    start = b'<host><status state="up" reason="syn-ack" reason_ttl="0"/><address addr="%s" addrtype="ipv4"/><ports>'
    return start % address + b"".join(ports) + b"</ports></host>"


def a_port(number: int, script: bytes = b"") -> bytes:
    state = b'<state state="open" reason="syn-ack" reason_ttl="64"/><service name="http" method="table" conf="3"/>'
    return b'<port protocol="tcp" portid="%d">%s%s</port>' % (number, state, script)


def store(stream: IO[bytes], probes: int) -> None:
    """The report's findings, written as those of a scan with so many probes."""
    table = DynamoScanTable(TABLE)
    # as if the scan had been read
    table._layouts[SCAN_ID] = ScanLayout(spread=choose_spread(a_scan(probes=probes)))
    hosts = (HostFindings(host.address, build_findings(host, SCAN_ID, AT)) for host in read_report(stream))
    table.put_findings(SCAN_ID, hosts, KEY)


def test_a_host_with_every_port_open_is_stored_whole_in_pages(sink: Sink) -> None:
    ports = [a_port(number) for number in range(1, 65_536)]
    store(a_report([a_host(1, *ports)]), probes=65_535)
    assert len(sink.ids) == 65_535 + 1
    assert 100 < sink.items < 400
    assert sink.largest_item < MAX_ITEM_BYTES


def test_five_megabytes_from_a_script_are_capped_with_a_pointer_to_the_report(sink: Sink) -> None:
    script = b'<script id="http-big" output="%s"><elem key="body">%s</elem></script>' % (
        b"x" * 2_500_000,
        b"y" * 2_500_000,
    )
    store(a_report([a_host(1, a_port(80, script), a_port(81))]), probes=1_000)
    assert (sink.items, len(sink.ids)) == (1, 3)
    assert sink.largest_item < MAX_FINDING_BYTES
    (cut,) = sink.kept
    assert (cut["attributes"]["port"], cut["attributes"]["state"]) == (80, "open")
    assert cut["attributes"]["scripts"]["http-big"] == "x" * 2_000
    assert cut["attributes"]["cut"]["report"] == f"reports/{SCAN_ID}/000000/1.xml"


def test_no_item_is_too_large_for_the_table_however_much_a_host_says(dynamo_table: DynamoScanTable, sink: Sink) -> None:
    noise = random.Random(1)  # noqa: S311  # the same noise in every run
    sizes = [5 * 3**power for power in range(12)]
    scripts = [b'<script id="s" output="%s&quot;&#xc3;"/>' % noise.randbytes(size).hex().encode() for size in sizes]
    store(a_report(a_host(n, a_port(80, script)) for n, script in enumerate(scripts)), probes=12)
    assert len(sink.ids) == 2 * len(sizes)
    assert 100_000 < sink.largest_item < MAX_ITEM_BYTES
    assert sink.largest_batch < MAX_BATCH_BYTES + MAX_ITEM_BYTES


def test_memory_does_not_grow_with_the_hosts_of_a_report(sink: Sink) -> None:
    def hosts(count: int) -> Iterator[bytes]:
        script = b'<script id="s" output="%s"/>' % (b"z" * 4_000)
        return (a_host(number, a_port(80, script), a_port(443)) for number in range(count))

    store(a_report(hosts(100)), probes=100_000)  # what is made once is made
    peaks = []
    for count in (400, 3_200):
        sink.ids.clear()
        tracemalloc.start()
        store(a_report(hosts(count)), probes=100_000)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(sink.ids) == 3 * count
    assert peaks[1] < 1.5 * peaks[0] + 3_200 * 3 * 100  # the sink's own ids
    assert peaks[1] < 30_000_000


class Sieve(MemoryScanTable):
    """Takes everything, and keeps sums alone."""

    def __init__(self) -> None:
        super().__init__()
        self.found = self.saved = 0

    def put_findings(self, scan_id: str, hosts: Iterable[HostFindings], source: ReportKey | None = None) -> None:
        self.found += sum(1 for host in hosts for _ in host.findings)

    def save_hosts(
        self, source: ReportKey, updates: Iterable[HostUpdate], *, vantage: str = DEFAULT_VANTAGE
    ) -> list[str]:
        self.saved += sum(1 for _ in updates)
        return []


class Streamed(MemoryReportStore):
    """Has one report, which is made as it is read."""

    def __init__(self, hosts: Iterable[bytes]) -> None:
        super().__init__()
        self._hosts = hosts

    def open_report(self, key: ReportKey, start: int = 0) -> IO[bytes]:
        return a_report(self._hosts)


def test_memory_does_not_grow_with_the_hosts_whose_every_port_is_open() -> None:
    ports = [a_port(number) for number in range(1, 2_001)]
    slices = (TargetSlice("10.0.0.0/8", 0, 2**24),)
    shard = a_shard(family=4, exclude=(), slices=slices, run=NmapRun(exit_code=0, addresses=2**24, finished_at=AT))

    def record(count: int) -> Sieve:
        table, reports = Sieve(), Streamed(a_host(number, *ports) for number in range(count))
        scope_filter = ScopeFilter(shard, Scope.of(["10.0.0.0/8"]))
        record_report(KEY, shard, AT, scope_filter=scope_filter, reports=reports, table=table)
        return table

    record(4)  # what is remembered of ports and texts has its bound, and fills up
    peaks = []
    for count in (4, 12):
        tracemalloc.start()
        table = record(count)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert (table.found, table.saved) == (count * 2_001, count)
    assert peaks[1] < 1.3 * peaks[0]
