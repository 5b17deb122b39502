"""Workers and deliveries for tests: plain ones, of which a test names only what it is about."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from cascan.gateways import HeldShards, ScanGateways, ScanTable
from cascan.permissions.scope import Scope
from on_report_stored.cut_reported_shard import cut_reported_shard
from on_shard_abandoned.take_back_shard import ShardTakenBack, take_back_shard
from on_shard_queued.delivery import Delivery, Worker, WorkerTable
from tests.fakes import FixedResolver, MemoryReportStore, MemoryReturnedShards
from tests.support.builders import clock

OF_SHARDS = {name for name in vars(HeldShards) if not name.startswith("_")}


class TableOfWorker:
    """The table as the role of a worker allows it: a few calls, each about a shard by its token."""

    def __init__(self, table: object) -> None:
        self._table = table

    def __getattr__(self, name: str) -> Callable[..., Any]:
        assert name in OF_SHARDS | {"scan_brief"}, f"a worker may not {name}"

        def call(*args: Any, **kwargs: Any) -> Any:
            assert name not in OF_SHARDS or kwargs.get("token"), f"a worker may not {name} without a token"
            return getattr(self._table, name)(*args, **kwargs)

        return call


def as_worker(table: object) -> WorkerTable:
    return cast("WorkerTable", TableOfWorker(table))


def a_worker(nmap: Path | str, table: ScanTable, **fields: Any) -> Worker:
    """Over in-memory gateways; it may scan loopback alone."""
    plain: dict[str, Any] = {
        "name": "test",
        "nmap": (str(nmap),),
        "table": as_worker(table),
        "reports": MemoryReportStore(),
        "returns": MemoryReturnedShards(),
        "scope": Scope.of(["127.0.0.0/8"]),
        "resolver": FixedResolver({}),
        "clock": clock,
    }
    return Worker(**plain | fields)


def a_delivery(message_id: str = "a message", **fields: Any) -> Delivery:
    plain: dict[str, Any] = {"message_id": message_id, "time_limit_s": 20, "lease_s": 60}
    return Delivery(**plain | fields)


def take_back_all(worker: Worker, gateways: ScanGateways) -> list[ShardTakenBack]:
    """What on_shard_abandoned does about the shards that the worker returned."""
    returns = cast("MemoryReturnedShards", worker.returns)
    messages = list(returns.sent)
    returns.sent.clear()
    return [take_back_shard(message, gateways) for message in messages]


def cut_reported(scan_id: str, number: int, gateways: ScanGateways) -> None:
    """What on_report_stored does first about a report: it cuts the shard as its worker proposed."""
    shard, scan = gateways.table.get_shard(scan_id, number), gateways.table.get_scan(scan_id)
    if shard and scan and shard.cut:
        cut_reported_shard(shard, scan, gateways)


def a_program(folder: Path, script: str) -> Path:
    """A shell script that stands in for nmap."""
    program = folder / "nmap"
    program.write_text(script)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program
