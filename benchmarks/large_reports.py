"""Record large reports with the handler of on_report_stored, on the emulator.

    python -m benchmarks.large_reports            # all cases at full size
    python -m benchmarks.large_reports --part 16  # a sixteenth of each

The full size takes some 15 minutes on two cores, and 10 GB for the emulator.

In every case the handler runs in its own process, with the time limit of Lambda (Timeout in
template.yaml), and gets its message again as often as it sends it. The output has the invocations,
the CPU and the maximum memory of that process, the number of findings in the table, and how evenly
they are spread. The emulator takes most of the time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.generated_reports import generate_report as generated
from cascan.aws import clients
from cascan.aws.dynamodb import connection_pool as lines
from cascan.aws.dynamodb.table import DynamoTable
from cascan.aws.dynamodb.wire import item_size
from cascan.aws.tables.finding_items import hosts_partitions
from cascan.aws.tables.items import choose_spread
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.findings.encoded.lines import lines_of
from cascan.ids import ReportKey, derive_scan_id
from cascan.model.scan import Scan, ScanState
from cascan.model.shard import Lane, NmapRun, Shard, ShardState, TargetSlice
from cascan.nmap.report.read import read_report
from cascan_cli.local.aws import use_endpoint
from cascan_cli.local.emulator import Emulator
from cascan_cli.local.state import StateDir
from cascan_cli.local.template import read_template

AT = datetime(2026, 1, 1, tzinfo=UTC)
TABLE, BUCKET, BUS = "scan-table", "report-bucket", "scan-bus"
ROOT = Path(__file__).parents[1]
FUNCTION = read_template(ROOT / "template.yaml")["Resources"]["OnReportStored"]["Properties"]
ALL_PORTS = 65_535
MAX_FAILURES = 5  # as the queue has it
HOST = '<host><status state="up" reason="syn-ack" reason_ttl="64"/><address addr="%s" addrtype="ipv4"/><ports>'
PORT = (
    '<port protocol="tcp" portid="%d"><state state="open" reason="syn-ack" reason_ttl="64"/>'
    '<service name="s%d" method="table" conf="3"/>%s</port>'
)
START = '<nmaprun scanner="nmap" args="nmap" version="7.93"><scaninfo type="syn" protocol="tcp" services="1-65535"/>'
END = '<runstats><finished time="1" exit="success"/><hosts up="%d" down="0" total="%d"/></runstats></nmaprun>'


@dataclass(frozen=True)
class Case:
    name: str
    hosts: int
    ports: int  # scanned on each
    report: Iterable[bytes]


@dataclass(frozen=True)
class Context:
    """The context object that Lambda passes to a function."""

    function_name: str = "on_report_stored"
    memory_limit_in_mb: int = FUNCTION["MemorySize"]
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:000000000000:function:on_report_stored"
    aws_request_id: str = "benchmark"
    until: float = field(default_factory=lambda: time.monotonic() + FUNCTION["Timeout"])

    def get_remaining_time_in_millis(self) -> int:
        return int((self.until - time.monotonic()) * 1_000)


@dataclass(frozen=True)
class Delivered:
    invocations: int
    failures: int  # failed invocations: the emulator sometimes takes more than 5 s to answer
    cpu_s: float
    longest_s: float
    start_mb: int  # resident once the clients are built
    max_mb: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", type=int, default=1, help="run only one of so many parts of each case")
    parser.add_argument("--only", type=int, help="run only the case with this number, from 0")
    parser.add_argument("--deliver", nargs=2, metavar=("KEY", "QUEUE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.deliver:
        sys.stdout.write(json.dumps(asdict(deliver(*args.deliver))))
        return
    print(f"{FUNCTION['MemorySize']} MB and {FUNCTION['Timeout']} s are the limits of the function in template.yaml")
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(cases(args.part)):
            if args.only not in (None, number):
                continue
            emulator = Emulator(StateDir(Path(folder) / str(abs(hash(case.name)))))
            try:
                emulator.wait_until_healthy()
                forget_clients()
                use_endpoint(emulator.endpoint)
                run(case, Path(folder) / "report.xml")
            finally:
                lines.close_connections()
                emulator.stop()


def cases(part: int) -> Iterator[Case]:
    ports = ALL_PORTS // part
    yield Case(f"a host with {ports:,} open ports", 1, ALL_PORTS, tarpits(1, ports))
    yield Case("a script with 5 MB of output", 1, 1, talkative(5_000_000 // part))
    hosts = 65_536 // part
    yield Case(f"{hosts:,} hosts, mixed", hosts, 1_000, generated(hosts, "mixed"))
    yield Case(f"1,000,000 open ports of {16} hosts", 16, ALL_PORTS, tarpits(16, 62_500 // part))


def tarpits(hosts: int, ports: int) -> Iterator[bytes]:
    yield START.encode()
    for number in range(hosts):
        listed = "".join(PORT % (port, port % 997, "") for port in range(1, ports + 1))
        yield f"{HOST % f'10.0.0.{number}'}{listed}</ports></host>\n".encode()
    yield (END % (hosts, hosts)).encode()


def talkative(length: int) -> Iterator[bytes]:
    script = (
        f'<script id="http-big" output="{"x" * (length // 2)}"><elem key="body">{"y" * (length // 2)}</elem></script>'
    )
    yield f"{START}{HOST % '10.0.0.1'}{PORT % (80, 1, script)}</ports></host>{END % (1, 1)}".encode()


def run(case: Case, path: Path) -> None:
    queue = create_resources()
    with path.open("wb") as file:
        file.writelines(case.report)
    key, scan = ReportKey(derive_scan_id(case.name), 0, 1), a_scan(case)
    table = DynamoScanTable(TABLE)
    table.create_scan(scan)
    nmap_run = NmapRun(attempt=1, exit_code=0, addresses=case.hosts, started_at=AT, finished_at=AT)
    slices = (TargetSlice("10.0.0.0/8", 0, 2**24),)
    shard = Shard(scan_id=key.scan_id, number=0, lane=Lane.RAW, slices=slices, arguments=(), attempt=1, run=nmap_run)
    table.add_shards([msgspec.structs.replace(shard, state=ShardState.REPORTED)])
    clients.s3().upload_file(str(path), BUCKET, str(key))
    started = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.large_reports", "--deliver", str(key), queue]
    environment = os.environ | build_environment(queue)
    result = subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True)
    delivered = Delivered(**json.loads(result.stdout.splitlines()[-1]))
    show(case, path, delivered, time.perf_counter() - started)


def show(case: Case, path: Path, delivered: Delivered, wall_s: float) -> None:
    ended = DynamoScanTable(TABLE).get_scan(derive_scan_id(case.name))
    counted = ended.findings.count if ended else 0
    state = f"{ended.state}, {ended.outcome}" if ended else "gone"
    print(f"{case.name}: {path.stat().st_size / 1e6:.1f} MB; {state}; {counted:,} findings counted")
    invocations = f"{delivered.invocations} invocations, {delivered.failures} of them failed"
    print(f"  {invocations}, the longest {delivered.longest_s:.0f} s; {wall_s:.0f} s in all")
    print(f"  {delivered.cpu_s:.1f} s of CPU, {delivered.cpu_s * 1e6 / max(counted, 1):.0f} ms for 1,000 findings")
    print(f"  {delivered.max_mb} MB resident at most, {delivered.start_mb} MB before the first message", flush=True)
    scan, table = a_scan(case), DynamoTable(TABLE)
    shares, largest = Counter[str](), 0
    for partition in hosts_partitions(scan.scan_id, choose_spread(scan)):
        for item in table.partition(partition):
            shares[partition] += 1
            largest = max(largest, item_size(item))
    stored = sum(1 for _ in DynamoScanTable(TABLE).findings(scan.scan_id))
    print(f"  {stored:,} of the report's {count_findings(scan.scan_id, path):,} findings are in the table")
    print(f"  the largest of {shares.total():,} items has {largest / 1e3:.1f} KB")
    print(f"  {len(shares)} partition keys, the fullest with {max(shares.values()) / shares.total():.1%}", flush=True)


def count_findings(scan_id: str, path: Path) -> int:
    """The findings of the report, each counted once."""
    with path.open("rb") as file:
        return sum(len({line.id for line in lines_of(host, scan_id, AT)}) for host in read_report(file))


def deliver(key: str, queue: str) -> Delivered:
    """Deliver the report's message to the handler, and again each time that it sends it.

    Needs a fresh process.
    """
    from on_report_stored import app  # it reads its environment

    size = clients.s3().head_object(Bucket=BUCKET, Key=key)["ContentLength"]
    detail = {"bucket": {"name": BUCKET}, "object": {"key": key, "size": size}}
    body = json.dumps({"source": "aws.s3", "detail-type": "Object Created", "id": "benchmark", "detail": detail})
    app.wire()
    start_mb, started, longest_s, invocations = max_mb(), time.process_time(), 0.0, 0
    failures = 0
    message: str | None = body
    while message:
        invocations, invoked_at = invocations + 1, time.monotonic()
        record: Any = {"messageId": "1", "body": message, "eventSource": "aws:sqs", "attributes": {}}
        context: Any = Context()
        failed = app.handler({"Records": [record]}, context)["batchItemFailures"]
        longest_s = max(longest_s, time.monotonic() - invoked_at)
        failures += bool(failed)
        if failures == MAX_FAILURES:
            raise SystemExit("the message failed too often: the reasons are in the log above")
        message = message if failed else next(receive(queue), None)
    print()
    return Delivered(invocations, failures, time.process_time() - started, longest_s, start_mb, max_mb())


def receive(queue: str) -> Iterator[str]:
    for message in clients.sqs().receive_message(QueueUrl=queue).get("Messages", ()):
        clients.sqs().delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        yield message["Body"]


def max_mb() -> int:
    """The maximum resident set so far. (getrusage would give the parent's: it survives an exec.)"""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def a_scan(case: Case) -> Scan:
    return Scan(
        scan_id=derive_scan_id(case.name),
        name="large",
        state=ScanState.SCANNING,
        requested_at=AT,
        cause_id="benchmark",
        shards=1,
        shards_open=1,
        shards_in_flight=1,
        addresses=case.hosts,
        probes=case.hosts * case.ports,
    )


def create_resources() -> str:
    """Create table, bucket, bus and a queue. Returns the address of the queue."""
    table = read_template(ROOT / "infra" / "storage.yaml")["Resources"]["ScanTable"]["Properties"]
    created = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    clients.dynamodb().create_table(TableName=TABLE, **{name: table[name] for name in created})
    clients.s3().create_bucket(Bucket=BUCKET)
    clients.events().create_event_bus(Name=BUS)
    return clients.sqs().create_queue(QueueName="reports")["QueueUrl"]


def build_environment(queue: str) -> dict[str, str]:
    queues = ("REPORT", "EXPRESS_SHARD", "CONNECT_SHARD", "RAW_SHARD")
    return {f"{name}_QUEUE_URL": queue for name in queues} | {
        "SCAN_TABLE": TABLE,
        "REPORT_BUCKET": BUCKET,
        "SCAN_BUS": BUS,
        "ALLOWED_TARGETS": "10.0.0.0/8",
        "DENIED_TARGETS": "",
        "POWERTOOLS_SERVICE_NAME": "on_report_stored",
        "POWERTOOLS_METRICS_NAMESPACE": "cascan",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "functions"), str(ROOT)]),
    }


def forget_clients() -> None:
    for built in (clients.session, clients.dynamodb, clients.s3, clients.events, clients.sqs):
        built.cache_clear()


if __name__ == "__main__":
    main()
