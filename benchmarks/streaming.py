"""The memory that commands take to print a million findings, and the time.

    python -m benchmarks.streaming

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
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from cascan.aws.dynamodb.wire import Item
from cascan.aws.tables.finding_items import host_items
from cascan.aws.tables.inventory_items import host_item
from cascan.aws.tables.items import scan_item
from cascan.aws.tables.pointer_items import Pointer, find_record_network, merge_pointers, network_item, new_pointers
from cascan.aws.tables.vantage_keys import network_partition
from cascan.findings import build_findings
from cascan.ids import derive_scan_id
from cascan.model.finding import HostFindings
from cascan.model.host import Address, Host, Port, Service
from cascan.model.inventory import OPEN, UP, HostRecord, PortRecord, Sighting
from cascan.model.request import ScanRequest
from cascan.model.scan import Outcome, Scan, ScanState
from cascan.model.vantage import DEFAULT_VANTAGE

HOSTS = int(os.environ.get("BENCH_HOSTS", "100000"))
PORTS = (21, 22, 25, 53, 80, 111, 143, 443, 993)  # with the host itself, ten findings
AT = datetime(2026, 1, 1, tzinfo=UTC)
SCAN_ID = derive_scan_id("a large scan")
TABLE = "scan-table"
PAGE_BYTES = 1_000_000
LIMIT_MB = 100
COMMANDS = {
    "findings SCAN --json": ("findings", SCAN_ID, "--json"),
    "findings SCAN": ("findings", SCAN_ID),
    "findings SCAN --text, which one has": ("findings", SCAN_ID, "--text", "tcp://10.1.0.7:443"),
    "findings --now --json": ("findings", "--now", "--json"),
    "inventory --json": ("inventory", "--json"),
}


def main() -> None:
    store = Store()
    findings = fill(store)
    print(f"{HOSTS:,} hosts, {findings:,} findings; the aim is {LIMIT_MB} MB")
    with serve(store) as url:
        for name, command in COMMANDS.items():
            measure(name, command, url)


def measure(name: str, command: tuple[str, ...], url: str) -> None:
    started = time.perf_counter()
    environment = os.environ | {
        "AWS_ENDPOINT_URL": url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    child = [sys.executable, "-m", "benchmarks.streaming", *command]
    done = subprocess.run(child, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    figures = json.loads(done.stdout)
    over = figures["peak"] - figures["floor"]
    print(
        f"  {name:38}{figures['peak']:6.0f} MB at most, {over:4.0f} MB above {figures['floor']:.0f} MB of imports;"
        f" {figures['lines']:>10,} lines in {time.perf_counter() - started:6.1f} s"
    )


# ---- in the child


def run_command(command: list[str]) -> None:
    """Run the command with its output counted, then print the memory that it took."""
    from types import SimpleNamespace

    from cascan.aws import clients
    from cascan.aws.tables.scan_table import DynamoScanTable
    from cascan_cli.commands import findings, inventory
    from cascan_cli.main import main as run

    @contextmanager
    def open_table(_: Any) -> Iterator[Any]:
        yield SimpleNamespace(table=DynamoScanTable(TABLE))

    for module in (findings, inventory):
        vars(module)["open_stack"] = open_table
    clients.dynamodb()
    floor, output = read_memory("VmRSS"), sys.stdout
    counter = LineCounter()
    sys.stdout = counter
    code = run(command)
    sys.stdout = output
    if code:
        raise SystemExit(code)
    print(json.dumps({"floor": floor, "peak": read_memory("VmHWM"), "lines": counter.lines}))


class LineCounter:
    """Output that is counted instead of printed."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.lines = 0

    def write(self, text: str) -> int:
        self.lines += text.count("\n")
        return len(text)

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
        self._items.setdefault(item["pk"]["S"], {})[item["sk"]["S"]] = msgspec.json.encode(item)

    def get(self, key: Item) -> bytes | None:
        return self._items.get(key["pk"]["S"], {}).get(key["sk"]["S"])

    def query(self, request: dict[str, Any]) -> bytes:
        values = request.get("ExpressionAttributeValues", {})
        pk = values.get(":pk", {}).get("S", "")
        low, high = _find_bounds(values)
        if pk not in self._order:
            self._order[pk] = sorted(self._items.get(pk, ()))
        order, items = self._order[pk], self._items.get(pk, {})
        first = bisect.bisect_left(order, low)
        if start := request.get("ExclusiveStartKey"):
            first = bisect.bisect_right(order, start["sk"]["S"])
        page: list[bytes] = []
        size = 0
        for sk in order[first:]:
            if sk > high:
                break
            if size > PAGE_BYTES:
                last = msgspec.json.decode(page[-1], type=dict[str, Any])
                key = msgspec.json.encode({name: last[name] for name in ("pk", "sk")})
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


def fill(store: Store) -> int:
    """Store the findings and the inventory of a scan. Returns how many findings it has."""
    scan = Scan(
        scan_id=SCAN_ID,
        name="large",
        state=ScanState.DONE,
        requested_at=AT,
        cause_id="a message",
        request=ScanRequest(targets=("10.0.0.0/8",)),
        shards=1,
        probes=HOSTS * 1_000,
        shards_open=0,
        outcome=Outcome.COMPLETE,
    )
    item = scan_item(scan)
    spread = int(item["spread"]["N"])
    store.put(item)
    count = 0
    records: list[HostRecord] = []
    for number in range(HOSTS):
        host = a_host(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        found = list(build_findings(host, SCAN_ID, AT, {}))
        count += len(found)
        address = host.addresses[0].addr
        for page in host_items(SCAN_ID, HostFindings(address, found), spread):
            store.put(page)
        records.append(a_record(host))
        store.put(host_item(records[-1]))
    put_pointers(store, records)
    return count


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
    return Host(state="up", reason="reset", addresses=(Address(address, "ipv4"),), ports=ports)


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
    if sys.argv[1:]:
        run_command(sys.argv[1:])
    else:
        main()
