"""From a report in the bucket to findings in the table: CPU for 1,000 findings, and the rate.

First without a network, with every call answered at once: cascan's own client compared with two
ways to use boto3. Then on the emulator, whose time is part of the rate but not of the CPU. One
process, reports from generated_reports.py.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any
from xml.parsers import expat

import boto3
import msgspec
from botocore.awsrequest import AWSResponse

from benchmarks.generated_reports import generate_report
from cascan.aws import clients
from cascan.aws.dynamodb import batch_write
from cascan.aws.dynamodb import connection_pool as lines
from cascan.aws.dynamodb.wire import Item
from cascan.aws.s3.report_store import S3ReportStore
from cascan.aws.tables.finding_items import host_items
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.findings import build_findings
from cascan.findings.encoded.lines import lines_of
from cascan.ids import ReportKey, derive_scan_id
from cascan.model.finding import Finding, FindingLine, HostFindings
from cascan.model.host import Host
from cascan.model.scan import Scan, ScanState
from cascan.model.shard import Lane, NmapRun, Shard, TargetSlice
from cascan.nmap.report.read import read_report
from cascan.permissions.scope import Scope
from cascan_cli.local.aws import use_endpoint
from cascan_cli.local.emulator import Emulator
from cascan_cli.local.state import StateDir
from cascan_cli.local.template import read_template
from on_report_stored.record_report import record_report
from on_report_stored.scope_filter import ScopeFilter

HOSTS = 1_000
# Hosts that repeat, as in a uniform network; and hosts that differ more.
SHAPES = ("alike", "mixed")
AIM_MS = 25
AT = datetime(2026, 1, 1, tzinfo=UTC)
SCAN_ID = derive_scan_id("benchmark")
TABLE, BUCKET = "scan-table", "report-bucket"
OPERATION = "before-send.dynamodb.BatchWriteItem"
STORAGE = Path(__file__).parents[1] / "infra" / "storage.yaml"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        emulator = Emulator(StateDir(Path(folder)))
        try:
            emulator.wait_until_healthy()
            use_endpoint(emulator.endpoint)
            for shape in SHAPES:
                data = b"".join(generate_report(HOSTS, shape))
                count = sum(1 for _ in findings(data))
                size = f"{len(data) / 1e6:.1f} MB, {count:,} findings"
                print(f"{HOSTS:,} hosts, {shape}, {size}; CPU in ms for 1,000 findings, best of 3")
                without_network(data, count)
                on_the_emulator(shape, data, count)
        finally:
            lines.close_connections()
            emulator.stop()


def without_network(data: bytes, count: int) -> None:
    hooks: Any = clients.dynamodb().meta.events  # the stubs do not know hooks that answer
    resource: Any = boto3.resource("dynamodb")
    for events in (hooks, resource.meta.client.meta.events):
        events.register_first(OPERATION, answer)
    steps: list[tuple[str, Callable[[], object]]] = [
        ("raw expat alone, for scale", lambda: expat.ParserCreate().Parse(data, True)),
        ("read the report", lambda: exhaust(read_report(BytesIO(data)))),
        ("make findings, as lines of JSON", lambda: exhaust(finding_lines(data))),
        ("make items of them", lambda: exhaust(line_items(data))),
        ("encode items as batches, sign", lambda: batch_write.put_all(TABLE, line_items(data))),
    ]
    before_ms = 0.0
    for name, step in steps:
        total_ms = cpu_ms(step, count)
        print(f"  {name:44}{total_ms - before_ms:7.1f}   so far {total_ms:6.1f}")
        before_ms = total_ms if step is not steps[0][1] else 0
    values_ms = cpu_ms(lambda: batch_write.put_all(TABLE, items(data)), count)
    print(f"  {'instead: as values, for severity rules':44}{values_ms:14.1f} in all")
    print(f"  {'instead: the same items by a boto3 client':44}{cpu_ms(lambda: by_client(data), count):14.1f} in all")
    nested_ms = cpu_ms(lambda: by_resource(resource, data), count)
    print(f"  {'instead: nested, by boto3 batch_writer':44}{nested_ms:14.1f} in all")
    hooks.unregister(OPERATION, answer)


def on_the_emulator(shape: str, data: bytes, count: int) -> None:
    name, bucket = f"{TABLE}-{shape}", f"{BUCKET}-{shape}"
    table = read_template(STORAGE)["Resources"]["ScanTable"]["Properties"]
    created = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    clients.dynamodb().create_table(TableName=name, **{name: table[name] for name in created})
    clients.s3().create_bucket(Bucket=bucket)
    key = ReportKey(SCAN_ID, 0, 1)
    clients.s3().put_object(Bucket=bucket, Key=str(key), Body=data)
    reports, scans = S3ReportStore(bucket), DynamoScanTable(name)
    scan = Scan(scan_id=SCAN_ID, name="lan", state=ScanState.SCANNING, requested_at=AT, cause_id="", probes=1_000_000)
    scans.create_scan(scan)

    def write_findings() -> None:
        with reports.open_report(key) as stream:
            hosts = read_report(stream)
            scans.put_findings(SCAN_ID, map(encoded_findings, hosts), key)

    def write_everything() -> None:
        """Findings, inventory and changes, as on_report_stored does."""
        slices = (TargetSlice("10.0.0.0/8", 0, 2**24),)
        run = NmapRun(exit_code=0, addresses=HOSTS, started_at=AT, finished_at=AT)
        shard = Shard(scan_id=SCAN_ID, number=0, lane=Lane.RAW, slices=slices, arguments=(), attempt=1, run=run)
        scope_filter = ScopeFilter(shard, Scope.of(["10.0.0.0/8"], []))
        record_report(key, shard, AT, scope_filter=scope_filter, reports=reports, table=scans)

    steps = (
        ("findings", write_findings),
        ("findings, repeated", write_findings),
        ("findings and inventory", write_everything),
    )
    for name, step in steps:
        started, cpu = time.perf_counter(), time.process_time()
        step()
        ms = (time.process_time() - cpu) * 1e6 / count
        rate = count / (time.perf_counter() - started)
        aim = f"; aim {AIM_MS}: {'met' if ms <= AIM_MS else 'missed'}" if name == "findings" else ""
        print(f"  S3 → {name + ' in the table':39}{ms:7.1f}   {rate:8,.0f} findings/s on the emulator{aim}")
    stored = sum(1 for _ in scans.findings(SCAN_ID))
    print(f"  {stored:,} findings are stored: some of the {count:,} are equal")


def findings(data: bytes) -> Iterator[Finding]:
    for host in read_report(BytesIO(data)):
        yield from build_findings(host, SCAN_ID, AT)


def finding_lines(data: bytes) -> Iterator[FindingLine]:
    for host in read_report(BytesIO(data)):
        yield from lines_of(host, SCAN_ID, AT)


def line_items(data: bytes) -> Iterator[Item]:
    hosts = map(encoded_findings, read_report(BytesIO(data)))
    return (item for host in hosts for item in host_items(SCAN_ID, host, 1))


def encoded_findings(host: Host) -> HostFindings:
    return HostFindings(host.address, lines_of(host, SCAN_ID, AT))


def items(data: bytes) -> Iterator[Item]:
    hosts = (HostFindings(host.address, build_findings(host, SCAN_ID, AT)) for host in read_report(BytesIO(data)))
    return (item for host in hosts for item in host_items(SCAN_ID, host, 1))


def by_client(data: bytes) -> None:
    every = items(data)
    while batch := [{"PutRequest": {"Item": item}} for item in islice(every, batch_write.MAX_BATCH)]:
        # In wire form.
        clients.dynamodb().batch_write_item(RequestItems={TABLE: batch})  # type: ignore[dict-item]


def by_resource(resource: Any, data: bytes) -> None:
    """As in the guide of boto3."""
    with resource.Table(TABLE).batch_writer() as writer:
        for finding in findings(data):
            nested = {"pk": f"scan/{SCAN_ID}", "sk": finding.id} | msgspec.to_builtins(finding)
            writer.put_item(Item=nested)


def answer(request: Any, **_: Any) -> AWSResponse:
    no_headers: Any = {}
    return AWSResponse(request.url, 200, no_headers, _Body())


class _Body:
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield b'{"UnprocessedItems":{}}'


def exhaust(items: Iterable[object]) -> None:
    for _ in items:
        pass


def cpu_ms(step: Callable[[], object], count: int) -> float:
    """Processor time in ms for 1,000 findings, the best of three runs."""
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        step()
        best = min(best, time.process_time() - started)
    return best * 1e6 / count


if __name__ == "__main__":
    main()
