"""The pages of the console: the time that each takes on the server.

    python -m benchmarks.console [FINDINGS] [INDEX]

The stack has 500 scans, 1,024 hosts on the emulator, and the search index of this machine has
FINDINGS findings (1,000,000 unless given). INDEX is a file that keeps the index for another run:
making it takes minutes. The pages are asked in process, so the figures have no network and no
browser in them, but the emulator, which shares the machine. The CPU of both is what a page takes
where nothing else runs.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from argparse import Namespace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from httpx import ASGITransport, AsyncClient
from msgspec.structs import replace

from benchmarks import search
from benchmarks.emulated_table import TABLE, run_emulated_table
from benchmarks.inventory import hosts, record
from cascan.aws.tables.cascade_table import DynamoCascadeTable
from cascan.aws.tables.message_table import DynamoMessageTable
from cascan.aws.tables.mute_table import DynamoMuteTable
from cascan.aws.tables.rule_table import DynamoRuleTable
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.aws.tables.schedule_table import DynamoScheduleTable
from cascan.ids import derive_scan_id
from cascan_cli.local.state import StateDir
from cascan_cli.ui.app import build_app
from cascan_cli.ui.console import Console

SCANS, REPEATS, AIM_MS, SEARCH_AIM_MS, PORT = 500, 5, 100, 200, 8822
ADDRESS, HOST = "127.0.0.1", "10.0.0.7"
SEARCHES = (
    "/findings",
    "/findings?text=openssh",
    "/findings?text=open&severity=high",
    "/findings?text=CVE-2021-44228",
    "/findings?text=op",
    "/findings?text=1",
    "/findings?text=10.0.1",
    "/findings?host=10.0.18.0/24&port=443",
    "/findings?text=openssh&sort=address",
)
PAGES = (
    "/",
    "/scans",
    f"/scans/{derive_scan_id('0')}",
    "/inventory",
    "/inventory?port=443",
    f"/hosts/{HOST}",
    "/changes",
    "/exposures",
    "/schedules",
    "/rules",
    f"/reach?host={HOST}",
    "/coverage",
    f"/submit?targets={HOST}",
    "/messages",
    "/audit",
)


def main() -> None:
    findings = int(sys.argv[1]) if sys.argv[1:] else search.FINDINGS
    kept = Path(sys.argv[2]) if sys.argv[2:] else None
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder, run_emulated_table() as table:
        path = StateDir(Path(folder)).search_index
        path.parent.mkdir(parents=True, exist_ok=True)
        provide_index(path, findings, kept)
        fill(table)
        asyncio.run(measure_all(open_console(table, Path(folder))))


def provide_index(path: Path, findings: int, kept: Path | None) -> None:
    if kept and kept.exists():
        shutil.copyfile(kept, path)
        return
    search.build(path, findings)
    if kept:
        shutil.copyfile(path, kept)


async def measure_all(console: Console) -> None:
    app = build_app(console, ADDRESS, PORT)
    async with AsyncClient(transport=ASGITransport(app), base_url=f"http://{ADDRESS}:{PORT}") as client:
        await client.get(f"/?token={console.sessions.token}")
        await measure(client, SEARCHES[0])  # reads the scans that the index lacks
        for place in PAGES:
            print_time(place, await measure(client, place), AIM_MS)
        for place in SEARCHES:
            print_time(place, await measure(client, place), SEARCH_AIM_MS)
    console.readers.close()


def fill(table: DynamoScanTable) -> None:
    for number in range(search.SCANS):
        table.create_scan(search.a_scan(number))
    start = datetime.now(UTC) - timedelta(days=SCANS // 20)
    for number in range(SCANS - search.SCANS):
        at = start + timedelta(hours=number)
        scan = replace(search.a_scan(0), scan_id=derive_scan_id(f"other {number}"), requested_at=at)
        table.create_scan(scan)
    for hour in range(2):
        scan = replace(search.a_scan(0), scan_id=derive_scan_id(f"benchmark {hour}"), requested_at=datetime.now(UTC))
        table.create_scan(replace(scan, changes={"PortOpened": 103}, shards=1))
    record(table, 0, "1,024 hosts", hosts())
    record(table, 1, "a port opened on every tenth", hosts(every=10))


def open_console(table: DynamoScanTable, folder: Path) -> Console:
    stack: Any = SimpleNamespace(
        table=table,
        cascades=DynamoCascadeTable(TABLE),
        rules=DynamoRuleTable(TABLE),
        schedules=DynamoScheduleTable(TABLE),
        messages=DynamoMessageTable(TABLE),
        mutes=DynamoMuteTable(TABLE),
        outputs={},
        is_local=True,
        submitter="somebody",
    )
    return Console(stack, Namespace(stack=None, state_dir=folder))


class Taken(NamedTuple):
    """In milliseconds. CPU is that of this process and of the emulator, whatever else the machine does."""

    elapsed: float
    cpu: float
    emulator: float


async def measure(client: AsyncClient, place: str) -> list[Taken]:
    times = []
    for _ in range(REPEATS):
        started, cpu, emulator = time.perf_counter(), time.process_time(), read_cpu_of_children()
        response = await client.get(place, timeout=None)
        elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu
        times.append(Taken(elapsed * 1e3, cpu * 1e3, (read_cpu_of_children() - emulator) * 1e3))
        assert response.status_code == 200, f"{place}: {response.status_code}"  # noqa: PLR2004, S101 - a page
    return times


def print_time(place: str, times: list[Taken], aim_ms: int) -> None:
    elapsed, cpu, emulator = (statistics.median(column) for column in zip(*times, strict=True))
    remark = f"   above the aim of {aim_ms} ms" if elapsed > aim_ms else ""
    print(f"  {place:45}{elapsed:8.1f} ms; CPU {cpu:6.1f} of the console, {emulator:6.1f} of the emulator{remark}")


def read_cpu_of_children() -> float:
    """The seconds of CPU that the running processes below this one have used; only Linux says it so exactly."""
    tasks = [Path("/proc/self/task")]
    seconds = 0.0
    while tasks:
        for task in tasks.pop().iterdir():
            for child in (task / "children").read_text().split():
                below = Path("/proc", child, "task")
                tasks.append(below)
                seconds += sum(int((each / "schedstat").read_text().split()[0]) for each in below.iterdir()) / 1e9
    return seconds


if __name__ == "__main__":
    main()
