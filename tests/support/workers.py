"""Workers and deliveries for tests: plain ones, of which a test names only what it is about."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from cascan.gateways import ScanTable
from cascan.permissions.scope import Scope
from on_shard_queued.delivery import Delivery, Worker
from tests.fakes import FixedResolver, MemoryReportStore, MemoryShardQueues
from tests.support.builders import clock


def a_worker(nmap: Path | str, table: ScanTable, **fields: Any) -> Worker:
    """Over in-memory gateways; it may scan loopback alone."""
    plain: dict[str, Any] = {
        "name": "test",
        "nmap": (str(nmap),),
        "table": table,
        "reports": MemoryReportStore(),
        "queues": MemoryShardQueues(),
        "scope": Scope.of(["127.0.0.0/8"]),
        "resolver": FixedResolver({}),
        "clock": clock,
    }
    return Worker(**plain | fields)


def a_delivery(message_id: str = "a message", **fields: Any) -> Delivery:
    plain: dict[str, Any] = {"message_id": message_id, "time_limit_s": 20, "lease_s": 60}
    return Delivery(**plain | fields)


def a_program(folder: Path, script: str) -> Path:
    """A shell script that stands in for nmap."""
    program = folder / "nmap"
    program.write_text(script)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program
