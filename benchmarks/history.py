"""Ask the time machine about a million findings on the emulator: the time of a question, and what the history costs.

    python -m benchmarks.history

Ten /24 with ten open ports on every host, scanned every night. Emulator and command share the
machine, so the times include both.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.emulated_table import run_emulated_table
from cascan.aws.dynamodb import batch_write
from cascan.aws.dynamodb.table import DynamoTable
from cascan.aws.dynamodb.wire import Item, item_size
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.ids import ReportKey, derive_scan_id
from cascan.inventory.coverage import ScannedPorts
from cascan.inventory.looks import build_look, list_shared_ports
from cascan.model.host import Address, ExtraPorts, ExtraReason, Host, Port, Service
from cascan.model.inventory import InventoryQuery
from cascan.model.report import ScanInfo
from cascan.model.shard import Lane, NmapRun, Shard, TargetSlice
from cascan.permissions.scope import Scope
from cascan.queries.history import find_answer, find_differences, find_open_ports, list_looks, list_spans
from on_report_stored.inventory_updater import InventoryUpdater
from on_report_stored.scope_filter import ScopeFilter

NETWORKS, HOSTS, NIGHTS = 10, 256, 40
PORTS = (21, 22, 25, 53, 80, 111, 143, 443, 993)  # and one that a hundredth of the hosts have
RARE, USUAL = 6_379, 8_080
CHANGED = 100  # of so many hosts, one has the rare port every other night
BATCH = 64  # hosts of a report that are written together
AT = datetime(2026, 1, 1, tzinfo=UTC)
SCANNED = ScannedPorts.from_scaninfo([ScanInfo(type="syn", protocol="tcp", services="1-10000")])
UNIT_BYTES = 1_024
REPEATS = 10


def main() -> None:
    with run_emulated_table() as table:
        measure(table)


def measure(table: DynamoScanTable) -> None:
    findings = NETWORKS * HOSTS * NIGHTS * (len(PORTS) + 1)
    print(f"{NETWORKS * HOSTS:,} hosts, {NIGHTS} nights, {findings:,} findings")
    fill_inventory(table)
    units, stored, cpu = fill_history(table)
    looks = NETWORKS * HOSTS * NIGHTS
    print(f"  a look: {cpu / looks * 1e6:.0f} µs CPU, {units / looks:.3f} write units, {stored / looks:.0f} bytes")
    print(f"  a million findings: {units / findings * 1e6:,.0f} write units, {stored / findings:,.1f} MB stored")
    middle = AT + timedelta(days=NIGHTS / 2)
    address, key = "10.0.3.100", ("tcp", RARE)
    now = AT + timedelta(days=NIGHTS + 1)
    rare = InventoryQuery(ports=frozenset({key}), was_open=True)
    usual = InventoryQuery(ports=frozenset({("tcp", 443)}), was_open=True, networks=((4, 10 << 24, (10 << 24) + 255),))
    ask("when ADDRESS:PORT", lambda: list_spans(list_looks(table, address, now)[0], key))
    ask("at DATE ADDRESS:PORT", lambda: [find_answer(table, address, key, middle)])
    ask(f"at DATE --port, on a {CHANGED}th of the hosts", lambda: find_open_ports(table, rare, middle))
    ask("at DATE --port --network, a /24 of which all have it", lambda: find_open_ports(table, usual, middle))
    ask("diff --since DATE --port", lambda: find_differences(table, rare, middle, now))


def ask(name: str, question: Callable[[], Iterable[Any]]) -> None:
    times, cpu_times, count = [], [], 0
    for _ in range(REPEATS):
        started, cpu = time.perf_counter(), read_cpu()
        count = sum(1 for _ in question())
        times.append(time.perf_counter() - started)
        cpu_times.append(read_cpu() - cpu)
    cpu = sum(cpu_times) / REPEATS
    print(f"  {name:54}{min(times) * 1e3:8.1f} ms at best,{cpu * 1e3:7.0f} ms CPU; {count:,} answers")


def read_cpu() -> float:
    """CPU seconds of this process and the emulator: what a question takes where nothing else runs."""
    ticks = 0
    for pid in list_children(os.getpid()):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # utime and stime, man 5 proc
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def list_children(pid: int) -> Iterator[int]:
    """The process's children, and theirs."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (thread / "children").read_text().split()):
            yield child
            yield from list_children(child)


def fill_inventory(table: DynamoScanTable) -> None:
    key, run = ReportKey(derive_scan_id("the inventory"), 0, 1), NmapRun(addresses=1, exit_code=0)
    target = (TargetSlice("10.0.0.0/16", 0, 65_536),)
    shard = Shard(scan_id=key.scan_id, number=0, lane=Lane.RAW, slices=target, arguments=(), run=run)
    updater = InventoryUpdater(key, AT, ScopeFilter(shard, Scope.of(["10.0.0.0/8"])), table)
    for batch in batches(0):
        updater.add(batch, SCANNED, {})


def fill_history(table: DynamoScanTable) -> tuple[int, int, float]:
    """Write units, stored bytes and CPU seconds of all looks."""
    totals = Counter[str]()
    write = batch_write.put_all

    def count(name: str, written: Iterable[Item]) -> None:
        listed = list(written)
        for item in listed:
            totals["units"] += math.ceil(item_size(item) / UNIT_BYTES)
            totals["bytes"] += item_size(item)
        write(name, listed)

    DynamoTable.put_all = lambda self, items: count(self.name, items)  # type: ignore[method-assign]
    cpu = 0.0
    for night in range(1, NIGHTS):
        source = ReportKey(derive_scan_id(f"night {night}"), 0, 1)
        for batch in batches(night):
            began = time.process_time()
            at = AT + timedelta(days=night)
            looks = [build_look(host, SCANNED, source, at, (number, 900)) for number, host in enumerate(batch)]
            table.store_looks(filter(None, looks), shared_ports=list_shared_ports(SCANNED))
            cpu += time.process_time() - began
    return totals["units"], totals["bytes"], cpu


def batches(night: int) -> Iterator[list[Host]]:
    for network in range(NETWORKS):
        for first in range(0, HOSTS, BATCH):
            yield [a_host(network, number, night) for number in range(first, first + BATCH)]


def a_host(network: int, number: int, night: int) -> Host:
    has_rare = (network * HOSTS + number) % CHANGED == 0 and night % 2 == 0
    numbers = (*PORTS, RARE if has_rare else USUAL)
    ports = tuple(
        Port(
            protocol="tcp",
            number=port,
            state="open",
            service=Service(name=f"s{port}", product=f"daemon {port}", version=f"1.{number % 7}", method="probed"),
        )
        for port in numbers
    )
    closed = ExtraPorts("closed", 9_990, (ExtraReason("reset", 9_990, "tcp", ""),))
    address = Address(f"10.0.{network}.{number}", "ipv4")
    return Host(state="up", reason="reset", addresses=(address,), ports=ports, extraports=(closed,))


if __name__ == "__main__":
    main()
