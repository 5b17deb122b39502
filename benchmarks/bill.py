"""What DynamoDB bills for recording reports: write units, counted from the requests that are sent.

A write costs a unit for each kilobyte of the item, and twice that in a transaction; an update is
billed for the whole item after it, a deletion for the item that it removes. The emulator answers,
and this process counts. Prices come from functions/cascan/cost/prices.json.

    python -m benchmarks.bill
"""

from __future__ import annotations

import json
import re
import tempfile
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.generated_reports import generate_report
from cascan.aws import clients
from cascan.aws.dynamodb import connection_pool
from cascan.aws.s3.report_store import S3ReportStore
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.ids import ReportKey, derive_scan_id
from cascan.model.scan import Scan, ScanState
from cascan.model.shard import Lane, NmapRun, Shard, ShardState, TargetSlice
from cascan.permissions.scope import Scope
from cascan_cli.local.aws import use_endpoint
from cascan_cli.local.emulator import Emulator
from cascan_cli.local.state import StateDir
from cascan_cli.local.template import read_template
from on_report_stored.record_report import record_report
from on_report_stored.scope_filter import ScopeFilter

HOSTS = 1_024  # four /24 networks where they are dense
AT = datetime(2026, 1, 1, tzinfo=UTC)
TABLE, BUCKET = "scan-table", "report-bucket"
ROOT = Path(__file__).parents[1]
PRICES = json.loads((ROOT / "functions" / "cascan" / "cost" / "prices.json").read_text())["prices"]
PITR_USD_GB_MONTH = 0.20  # us-east-1
UNIT_BYTES = 1_024
INDEX_BYTES = 100  # that DynamoDB adds to each item where it bills storage
ADDRESS = re.compile(rb'addr="10\.(\d+)\.(\d+)\.(\d+)"')
CLOSED_UDP = re.compile(rb'(<portused state="closed" proto="udp" portid=")\d+"')
VERSION = re.compile(rb'version="([^"]+)"')


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        emulator = Emulator(StateDir(Path(folder)))
        try:
            emulator.wait_until_healthy()
            use_endpoint(emulator.endpoint)
            bill = Bill()
            hooks: Any = clients.dynamodb().meta.events
            hooks.register_first("before-send.dynamodb", bill.count)
            clients.s3().create_bucket(Bucket=BUCKET)
            print(f"{HOSTS:,} hosts a report, mixed; write units for a finding, dollars for a million findings")
            for name, spread in (("dense: 4 networks of 256 hosts", 1), ("scattered: one host in each /24", 256)):
                print(name)
                create_table(f"{TABLE}-{spread}")
                measure(bill, f"{TABLE}-{spread}", spread)
        finally:
            connection_pool.close_connections()
            emulator.stop()


def measure(bill: Bill, name: str, spread: int) -> None:
    table = DynamoScanTable(name)
    recorder = Recorder(table, bill, spread)
    recorder.record("first report", 0)
    recorder.record("repeated: another scan, other times and ports of UDP", 1)
    recorder.record("repeated, 1 % of the hosts changed", 2, changed=0.01)
    stored, items = bill.stored_bytes, len(bill.sizes)
    bill.units.clear()
    while not table.remove_scan(recorder.scan_id(0), 5_000):
        pass
    print_line("removal of the first scan", bill, recorder.findings)
    month = stored / 1e9 * (PRICES["dynamodbGbMonth"]["usd"] + PITR_USD_GB_MONTH) * 1e6 / (3 * recorder.findings)
    size = stored / (3 * recorder.findings)
    print(f"  {'stored: a month, with point-in-time recovery':54}{size:6.0f} bytes  {month:6.2f} USD  {items:,} items")
    bill.sizes.clear()


@dataclass
class Recorder:
    """Records reports, one a scan, and prints what they cost."""

    table: DynamoScanTable
    bill: Bill
    spread: int
    findings: int = 0  # of the latest report

    def scan_id(self, number: int) -> str:
        return derive_scan_id(f"bill {self.spread} {number}")

    def record(self, name: str, number: int, *, changed: float = 0.0) -> None:
        key = ReportKey(self.scan_id(number), 0, 1)
        at = AT + timedelta(days=number)
        report = b"".join(vary(generate_report(HOSTS, "mixed"), number, self.spread, changed))
        clients.s3().put_object(Bucket=BUCKET, Key=str(key), Body=report)
        probes = HOSTS * 1_000
        scan = Scan(
            scan_id=key.scan_id,
            name="bill",
            state=ScanState.SCANNING,
            requested_at=at,
            cause_id="",
            shards=1,
            probes=probes,
        )
        run = NmapRun(exit_code=0, attempt=1, addresses=HOSTS, started_at=at, finished_at=at)
        shard = Shard(
            scan_id=key.scan_id,
            number=0,
            lane=Lane.RAW,
            slices=(TargetSlice("10.0.0.0/8", 0, 2**24),),
            arguments=(),
            attempt=1,
            state=ShardState.REPORTED,
            run=run,
        )
        self.table.create_scan(scan)
        self.table.add_shards([shard])
        self.bill.units.clear()
        recorded = record_report(
            key,
            shard,
            at,
            scope_filter=ScopeFilter(shard, Scope.of(["10.0.0.0/8"])),
            reports=S3ReportStore(BUCKET),
            table=self.table,
        )
        self.findings = recorded.summary.findings
        print_line(name, self.bill, self.findings)


def print_line(name: str, bill: Bill, findings: int) -> None:
    total = bill.units.total()
    usd = total / findings * 1e6 * PRICES["dynamodbWrite"]["usd"]
    parts = ", ".join(f"{kind} {units / findings:.2f}" for kind, units in bill.units.most_common())
    print(f"  {name:54}{total / findings:6.2f} units  {usd:6.2f} USD  {parts}", flush=True)


def vary(report: Iterator[bytes], number: int, spread: int, changed: float) -> Iterator[bytes]:
    """The report at another time: with other addresses if it is spread, and some hosts changed."""
    random = Random(number)  # noqa: S311 (made-up data, no secret)
    for part in report:
        text = ADDRESS.sub(lambda match: move_address(match, spread), part)
        text = CLOSED_UDP.sub(lambda match: b'%s%d"' % (match[1], random.randint(30_000, 45_000)), text)
        text = text.replace(b'time="17672', b'time="17%03d' % (672 + number))
        yield VERSION.sub(rb'version="\1.1"', text) if number and random.random() < changed else text


def move_address(match: re.Match[bytes], spread: int) -> bytes:
    numbers = [int(match[group]) for group in (1, 2, 3)]
    value = (numbers[0] << 16 | numbers[1] << 8 | numbers[2]) * spread
    return b'addr="10.%d.%d.%d"' % (value >> 16 & 255, value >> 8 & 255, value & 255)


@dataclass
class Bill:
    """Counts the units of every write, by what it writes."""

    units: Counter[str] = field(default_factory=Counter)
    sizes: dict[tuple[str, ...], int] = field(default_factory=dict)  # of the stored items
    sets: dict[tuple[str, ...], set[str]] = field(default_factory=dict)

    @property
    def stored_bytes(self) -> int:
        return sum(self.sizes.values()) + INDEX_BYTES * len(self.sizes)

    def count(self, request: Any, event_name: str, **_: Any) -> None:
        operation = event_name.rpartition(".")[2]
        if operation not in ("BatchWriteItem", "TransactWriteItems", "PutItem", "UpdateItem", "DeleteItem"):
            return
        body = json.loads(request.body)
        match operation:
            case "BatchWriteItem":
                for table, requests in body["RequestItems"].items():
                    for entry in requests:
                        ((kind, write),) = entry.items()
                        self._write(kind, write | {"TableName": table})
            case "TransactWriteItems":
                for entry in body["TransactItems"]:
                    ((kind, write),) = entry.items()
                    self._write(kind, write, times=2)
            case _:
                self._write(operation, body)

    def _write(self, kind: str, write: dict[str, Any], times: int = 1) -> None:
        key_item = write.get("Item") or write["Key"]
        key = (write["TableName"], key_item["pk"]["S"], key_item["sk"]["S"])
        if "Item" in write:
            self.sizes[key] = size = sum(len(name) + size_of(value) for name, value in write["Item"].items())
        elif kind.startswith("Delete"):
            size = self.sizes.pop(key, 0)
        else:
            size = self._update(key, write)
        self.units[name_kind(key)] += times * max(1, -(-size // UNIT_BYTES))

    def _update(self, key: tuple[str, ...], write: dict[str, Any]) -> int:
        """The size of the item after an update, which adds to a set; others keep their size."""
        added = write["ExpressionAttributeValues"].get(":hosts", {}).get("NS")
        if added:
            members = self.sets.setdefault(key, set())
            members.update(added)
            self.sizes[key] = len("pksk") + len(key[1]) + len(key[2]) + len("hosts") + size_of({"NS": members})
        return self.sizes.get(key, 0)


def size_of(value: dict[str, Any]) -> int:
    """The bytes of an attribute's value, as DynamoDB counts them."""
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "B":
            return len(b64decode(content))
        case "N":
            return len(content) // 2 + 2
        case "NS":
            return sum(len(number) // 2 + 2 for number in content)
        case "M":
            return 3 + sum(len(name) + size_of(inner) for name, inner in content.items())
    return 1


def name_kind(key: tuple[str, ...]) -> str:
    """What an item is, by its partition key."""
    first = key[1].partition("/")[0]
    if first in ("network", "networks"):
        return "asked" if key[2].startswith("asked/") else "pointers"
    return {"address": "records", "host": "records", "ports": "port sets", "scan": "scans"}.get(first, first)


def create_table(name: str) -> None:
    table = read_template(ROOT / "infra" / "storage.yaml")["Resources"]["ScanTable"]["Properties"]
    created = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    clients.dynamodb().create_table(TableName=name, **{name: table[name] for name in created})


if __name__ == "__main__":
    main()
