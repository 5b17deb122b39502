"""Compare reports with the inventory on the emulator: CPU per host, and the time of queries.

The emulator and this process share the machine, so the times include both. The CPU is that of this
process alone, which is what a function would pay for. The emulator searches the whole partition for
a query; DynamoDB reads only the range.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from benchmarks.emulated_table import run_emulated_table
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.ids import ReportKey, derive_scan_id
from cascan.inventory.coverage import ScannedPorts
from cascan.inventory.observations import Absence
from cascan.model.host import Address, ExtraPorts, ExtraReason, Host, Port, Service
from cascan.model.inventory import InventoryQuery
from cascan.model.report import ScanInfo
from cascan.model.shard import Lane, NmapRun, Shard, TargetSlice
from cascan.permissions.scope import Scope
from on_report_stored.inventory_updater import InventoryUpdater
from on_report_stored.record_report import HOSTS_AT_ONCE
from on_report_stored.scope_filter import ScopeFilter

HOSTS = 1_024
TARPIT_PORTS = 65_535
AT = datetime(2026, 1, 1, tzinfo=UTC)
SERVICES = {21: "ftp", 25: "smtp", 53: "domain", 81: "http", 111: "rpcbind", 443: "https", 993: "imaps"}
SCANNED_PORTS = ScannedPorts.from_scaninfo([ScanInfo(type="syn", protocol="tcp", services="1-1000")])


def main() -> None:
    with run_emulated_table() as table:
        measure(table)


def measure(table: DynamoScanTable) -> None:
    print(f"{HOSTS:,} hosts with 7 open ports each, 1,000 ports scanned; per host")
    record(table, 0, "first report: everything is new", hosts())
    record(table, 1, "repeated, nothing changed", hosts())
    record(table, 2, "repeated, a port opened on every tenth host", hosts(every=10))
    record(table, 3, f"a tarpit: one host with {TARPIT_PORTS:,} open ports", iter([tarpit()]), count=1)
    record(table, 4, "the tarpit repeated", iter([tarpit()]), count=1)
    low = 10 << 24
    for name, query in (
        ("an address", InventoryQuery(networks=((4, low + 7, low + 7),))),
        ("a /24", InventoryQuery(networks=((4, low, low + 255),))),
        ("port 443 in a /16", InventoryQuery(networks=((4, low, low + 65_535),), ports=frozenset({("tcp", 443)}))),
        ("service ftp in a /16", InventoryQuery(networks=((4, low, low + 65_535),), service="ftp")),
        ("port 444 in a /16: on every tenth host", InventoryQuery(ports=frozenset({("tcp", 444)}))),
    ):
        started = time.perf_counter()
        count = sum(1 for _ in table.hosts(query))
        print(f"  query {name:44}{(time.perf_counter() - started) * 1e3:8.1f} ms for {count:,} hosts")


def record(table: DynamoScanTable, hour: int, name: str, report: Iterator[Host], count: int = HOSTS) -> None:
    key = ReportKey(derive_scan_id(f"benchmark {hour}"), 0, 1)
    run = NmapRun(addresses=count, exit_code=0)
    target = (TargetSlice("10.0.0.0/16", 0, 65_536),)
    shard = Shard(scan_id=key.scan_id, number=0, lane=Lane.RAW, slices=target, arguments=(), run=run)
    updater = InventoryUpdater(key, AT + timedelta(hours=hour), ScopeFilter(shard, Scope.of(["10.0.0.0/8"])), table)
    wall, cpu = time.perf_counter(), time.process_time()
    while batch := [host for _, host in zip(range(HOSTS_AT_ONCE), report, strict=False)]:
        updater.add(batch, SCANNED_PORTS, {})
    updater.finish(shard, Absence.NOT_UP)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    changes = sum(1 for _ in table.changes(key.scan_id, 0))
    print(f"  {name:52}{cpu / count * 1e3:8.2f} ms CPU{wall / count * 1e3:9.2f} ms elapsed; {changes:,} changes")


def hosts(every: int = 0) -> Iterator[Host]:
    for number in range(HOSTS):
        extra = {444: "snpp"} if every and number % every == 0 else {}
        yield a_host(f"10.0.{number // 256}.{number % 256}", SERVICES | extra)


def tarpit() -> Host:
    return a_host("10.0.255.1", {port: f"s{port % 997}" for port in range(1, TARPIT_PORTS + 1)})


def a_host(address: str, services: dict[int, str]) -> Host:
    ports = tuple(
        Port(
            protocol="tcp",
            number=number,
            state="open",
            service=Service(name=name, product=f"{name} daemon", version="1.0", method="probed"),
        )
        for number, name in services.items()
    )
    closed = ExtraPorts("closed", 993, (ExtraReason("reset", 993, "tcp", ""),))
    return Host(state="up", reason="reset", addresses=(Address(address, "ipv4"),), ports=ports, extraports=(closed,))


if __name__ == "__main__":
    main()
