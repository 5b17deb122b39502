"""The memory that commands take to print a million findings, and the time.

    python -m benchmarks.streaming [HOSTS]

Each command is a process of its own. It reads from a table in this process, which answers reads as
DynamoDB does, in pages of a megabyte; so the figures are those of the command alone.
"""

from __future__ import annotations

import bisect
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from cascan.aws.dynamodb.wire import Item
from cascan.aws.tables.finding_items import host_items
from cascan.aws.tables.history_items import group_looks, looks_items, network_key, vantage_key
from cascan.aws.tables.inventory_items import host_item
from cascan.aws.tables.items import scan_item
from cascan.aws.tables.pointer_items import Pointer, find_record_network, merge_pointers, network_item, new_pointers
from cascan.aws.tables.vantage_keys import network_partition
from cascan.findings import build_findings
from cascan.gateways import ScanTable
from cascan.ids import ReportKey, derive_scan_id
from cascan.inventory.coverage import ScannedPorts
from cascan.inventory.looks import build_look
from cascan.limits import MAX_LOOKS_READ
from cascan.model.finding import HostFindings
from cascan.model.history import Look
from cascan.model.host import Address, ExtraPorts, ExtraReason, Host, Port, Service
from cascan.model.inventory import OPEN, UP, HostRecord, PortRecord, Sighting
from cascan.model.report import ScanInfo
from cascan.model.request import ScanRequest
from cascan.model.scan import Counts, Outcome, Scan, ScanState
from cascan.model.vantage import DEFAULT_VANTAGE

HOSTS = 100_000
PORTS = (21, 22, 25, 53, 80, 111, 143, 443, 993)  # with the host itself, ten findings
AT = datetime(2026, 1, 1, tzinfo=UTC)
SCANNED = ScannedPorts.from_scaninfo([ScanInfo(type="syn", protocol="tcp", services="1-10000")])
SCAN_ID = derive_scan_id("a large scan")
TABLE = "scan-table"
PAGE_BYTES = 1_000_000
LIMIT_MB = 100
BATCH = 64  # hosts whose looks are stored together
NIGHTS = MAX_LOOKS_READ + 1  # looks at one more host
WATCHED = "10.9.0.1"
AFTER = "2026-01-02"
READ_ALONE = "the findings' read alone"
TIMES_ALONE = "since when ports are open, read alone"
TIMES = "times"  # a command of this benchmark
JSON_LINES = "findings SCAN --as jsonl"
COMMANDS = {
    READ_ALONE: (),
    TIMES_ALONE: (TIMES,),
    "findings SCAN": ("findings", SCAN_ID),
    "findings SCAN --json": ("findings", SCAN_ID, "--json"),
    JSON_LINES: ("findings", SCAN_ID, "--as", "jsonl"),
    "findings SCAN --as csv": ("findings", SCAN_ID, "--as", "csv"),
    "findings SCAN --as-targets": ("findings", SCAN_ID, "--as-targets"),
    "findings SCAN --text, which one has": ("findings", SCAN_ID, "--text", "tcp://10.1.0.7:443"),
    "findings --now": ("findings", "--now"),
    "findings --now --json": ("findings", "--now", "--json"),
    "findings --now --as-targets": ("findings", "--now", "--as-targets"),
    "inventory --json": ("inventory", "--json"),
    "inventory --as-targets": ("inventory", "--as-targets"),
    "at DATE": ("at", AFTER),
    "at DATE --json": ("at", AFTER, "--json"),
    f"when ADDRESS, {MAX_LOOKS_READ:,} looks": ("when", WATCHED),
    "search, 10,000 results": ("search", "daemon", "--limit", "10000"),
}


def main(hosts: int) -> None:
    store = Store()
    findings = fill(store, hosts)
    fill_history(store, hosts)
    print(f"{hosts:,} hosts, {findings:,} findings; the aim is {LIMIT_MB} MB")
    cpu: dict[str, float] = {}
    with serve(store) as url:
        for name, command in COMMANDS.items():
            cpu[name] = measure(name, command, url)
    beyond = (cpu[JSON_LINES] - cpu[READ_ALONE] - cpu[TIMES_ALONE]) / findings * 1e6
    times = cpu[TIMES_ALONE] / findings * 1e6
    print(f"  1,000 JSON lines take {beyond:.1f} ms of CPU beyond the table's reads, that of the times {times:.1f} ms")


def measure(name: str, command: tuple[str, ...], url: str) -> float:
    """Run the command and print what it took. Returns its CPU seconds."""
    started = time.perf_counter()
    environment = os.environ | {
        "AWS_ENDPOINT_URL": url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    child = [sys.executable, "-m", "benchmarks.streaming", "run", *command]
    done = subprocess.run(
        child, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
    )
    figures = json.loads(done.stdout)
    over = figures["peak"] - figures["floor"]
    print(
        f"  {name:38}{figures['peak']:6.0f} MB at most, {over:4.0f} MB above {figures['floor']:.0f} MB of imports;"
        f" {figures['lines']:>10,} lines in {time.perf_counter() - started:6.1f} s, {figures['cpu']:6.1f} s CPU"
    )
    return float(figures["cpu"])


# ---- in the child


def run_command(command: list[str]) -> None:
    """Run the command with its output counted, then print the memory that it took."""
    from types import SimpleNamespace

    from cascan.aws import clients
    from cascan.aws.tables.scan_table import DynamoScanTable
    from cascan_cli.commands import at, export_findings, findings, inventory, search, when
    from cascan_cli.main import main as run

    @contextmanager
    def open_table(_: Any) -> Iterator[Any]:
        yield SimpleNamespace(table=DynamoScanTable(TABLE), is_local=False)

    for module in (at, export_findings, findings, inventory, search, when):
        vars(module)["open_stack"] = open_table
    clients.dynamodb()
    floor, output = read_memory("VmRSS"), sys.stdout
    counter = LineCounter()
    sys.stdout = counter
    cpu = time.process_time()
    if command[:1] == [TIMES]:
        code = read_times(DynamoScanTable(TABLE))
    else:
        code = run(command) if command else sum(0 for _ in DynamoScanTable(TABLE).findings(SCAN_ID))
    cpu = time.process_time() - cpu
    sys.stdout = output
    if code:
        raise SystemExit(code)
    print(json.dumps({"floor": floor, "peak": read_memory("VmHWM"), "lines": counter.lines, "cpu": cpu}))


def read_times(table: ScanTable) -> int:
    """Read the times as an export does, a hundred hosts at once."""
    addresses = map(address_of, range(HOSTS))
    while batch := list(islice(addresses, 100)):
        if not table.first_seen(batch):
            break  # there are fewer hosts
    return 0


class LineCounter:
    """Output that is counted instead of printed."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.lines = 0
        self.buffer = self  # documents are written as bytes

    def write(self, text: str | bytes) -> int:
        self.lines += text.count("\n") if isinstance(text, str) else text.count(b"\n")
        return len(text)

    def writelines(self, chunks: Iterable[bytes]) -> None:
        for chunk in chunks:
            self.write(chunk)

    def flush(self) -> None: ...

    def isatty(self) -> bool:
        return False


def read_memory(field: str) -> float:
    """A field of this process's memory in MB: man 5 proc."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1_024 for line in status if line.startswith(f"{field}:"))


# ---- the table


class Store:
    """Items by partition and sort key, as JSON."""

    def __init__(self) -> None:
        self._items: dict[str, dict[str, bytes]] = {}
        self._order: dict[str, list[str]] = {}

    def put(self, item: Item) -> None:
        encoded = msgspec.json.encode(item)
        self._items.setdefault(item["pk"]["S"], {})[item["sk"]["S"]] = encoded
        if "listing" in item:  # the index
            self._items.setdefault(item["listing"]["S"], {})[item["listed_at"]["S"]] = encoded

    def get(self, key: Item) -> bytes | None:
        return self._items.get(key["pk"]["S"], {}).get(key["sk"]["S"])

    def query(self, request: dict[str, Any]) -> bytes:
        values = request.get("ExpressionAttributeValues", {})
        pk = (values.get(":pk") or values[":listing"])["S"]
        low, high = _find_bounds(values)
        if pk not in self._order:
            self._order[pk] = sorted(self._items.get(pk, ()))
        order, items = self._order[pk], self._items.get(pk, {})
        keys = order[bisect.bisect_left(order, low) : bisect.bisect_right(order, high)]
        start = request.get("ExclusiveStartKey", {}).get("sk", {}).get("S", "")
        if not request.get("ScanIndexForward", True):
            keys = keys[: bisect.bisect_left(keys, start)][::-1] if start else keys[::-1]
        elif start:
            keys = keys[bisect.bisect_right(keys, start) :]
        page: list[bytes] = []
        size = 0
        for sk in keys:
            if size > PAGE_BYTES or len(page) == request.get("Limit", len(keys)):
                end = msgspec.json.decode(page[-1], type=dict[str, Any])
                key = msgspec.json.encode({name: end[name] for name in ("pk", "sk")})
                return b'{"Items":[' + b",".join(page) + b'],"LastEvaluatedKey":' + key + b"}"
            page.append(items[sk])
            size += len(items[sk])
        return b'{"Items":[' + b",".join(page) + b"]}"


def _find_bounds(values: Item) -> tuple[str, str]:
    if ":prefix" in values:
        prefix = values[":prefix"]["S"]
        return prefix, prefix + "\U0010ffff"
    return values.get(":low", {}).get("S", ""), values.get(":high", {}).get("S", "\U0010ffff")


@contextmanager
def serve(store: Store) -> Iterator[str]:
    """Answer the reads of a table. Yields the endpoint's URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            operation = self.headers["x-amz-target"].rpartition(".")[2]
            request = msgspec.json.decode(self.rfile.read(int(self.headers["content-length"])))
            body = answer(store, operation, request)
            self.send_response(200)
            self.send_header("content-type", "application/x-amz-json-1.0")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answer(store: Store, operation: str, request: dict[str, Any]) -> bytes:
    if operation == "Query":
        return store.query(request)
    if operation == "GetItem":
        item = store.get(request["Key"])
        return b'{"Item":' + item + b"}" if item else b"{}"
    if operation == "BatchGetItem":
        found = filter(None, map(store.get, request["RequestItems"][TABLE]["Keys"]))
        return b'{"Responses":{"' + TABLE.encode() + b'":[' + b",".join(found) + b"]}}"
    raise ValueError(f"the benchmark's table does not know {operation}")


# ---- what is in it


def fill(store: Store, hosts: int) -> int:
    """Store the findings and the inventory of a scan. Returns how many findings it has."""
    scan = Scan(
        scan_id=SCAN_ID,
        name="large",
        state=ScanState.DONE,
        requested_at=AT,
        cause_id="a message",
        request=ScanRequest(targets=("10.0.0.0/8",)),
        shards=1,
        probes=hosts * 1_000,
        shards_open=0,
        outcome=Outcome.COMPLETE,
    )
    spread = int(scan_item(scan)["spread"]["N"])
    count = 0
    records: list[HostRecord] = []
    for number in range(hosts):
        host = a_host(address_of(number))
        found = list(build_findings(host, SCAN_ID, AT, {}))
        count += len(found)
        address = host.addresses[0].addr
        for page in host_items(SCAN_ID, HostFindings(address, found), spread):
            store.put(page)
        records.append(a_record(host))
        store.put(host_item(records[-1]))
    put_pointers(store, records)
    counted = Counts(count=count, severities={"INFORMATIONAL": count}, categories={"Open Port": count})
    store.put(scan_item(replace(scan, findings=counted)))
    return count


def address_of(number: int) -> str:
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def fill_history(store: Store, hosts: int) -> None:
    """Store a look at every host, and many at one more."""
    source = ReportKey(SCAN_ID, 0, 1)
    for start in range(0, hosts, BATCH):
        batch = [a_host(address_of(number)) for number in range(start, min(start + BATCH, hosts))]
        put_looks(store, [build_look(host, SCANNED, source, AT, (1_000, 900)) for host in batch])
    watched = a_host(WATCHED)
    for night in range(NIGHTS):
        at = AT - timedelta(days=night)
        put_looks(store, [build_look(watched, SCANNED, ReportKey(SCAN_ID, night, 1), at, (1_000, 900))])


def put_looks(store: Store, looks: list[Look | None]) -> None:
    for network, members in group_looks(filter(None, looks)).items():
        for item in looks_items(members, network, DEFAULT_VANTAGE):
            store.put(item)
        store.put(network_key(DEFAULT_VANTAGE, network))
        store.put(vantage_key(DEFAULT_VANTAGE))


def put_pointers(store: Store, records: list[HostRecord]) -> None:
    pointers: list[Pointer] = []
    for record in records:
        network = find_record_network(record)
        store.put(network_item(network))
        pointers += new_pointers(record, None, network_partition(network, DEFAULT_VANTAGE))
    items, additions = merge_pointers(TABLE, pointers)
    for item in items:
        store.put(item)
    for addition in additions:
        request = addition.request
        store.put(request["Key"] | {"hosts": request["ExpressionAttributeValues"][":hosts"]})


def a_host(address: str) -> Host:
    ports = tuple(
        Port(
            protocol="tcp",
            number=port,
            state="open",
            service=Service(name=f"s{port}", product=f"daemon {port}", version="1.2", method="probed"),
        )
        for port in PORTS
    )
    closed = ExtraPorts("closed", 9_991, (ExtraReason("reset", 9_991, "tcp", ""),))
    return Host(state="up", reason="reset", addresses=(Address(address, "ipv4"),), ports=ports, extraports=(closed,))


def a_record(host: Host) -> HostRecord:
    ports = tuple(
        PortRecord(
            protocol=port.protocol,
            port=port.number,
            latest=Sighting(state=OPEN, seen_at=AT, scan_id=SCAN_ID, service=f"s{port.number}", probed=True),
            first_seen=AT,
            last_seen=AT,
        )
        for port in host.ports
    )
    up = Sighting(state=UP, seen_at=AT, scan_id=SCAN_ID)
    return HostRecord(address=host.addresses[0].addr, latest=up, first_seen=AT, last_seen=AT, ports=ports, revision=1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        run_command(sys.argv[2:])
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else HOSTS)
