"""The inputs of a shard's run: the worker of the process and the delivery of a message."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cascan.clock import Clock
from cascan.gateways import HeldShards, Resolver, ReturnedShards
from cascan.ids import ReportKey
from cascan.model.scan import ScanBrief
from cascan.model.usage import Capacity
from cascan.permissions.scope import Scope
from on_shard_queued.nmap_process import NmapResult, OnTick, run_nmap


class RunNmap(Protocol):
    def __call__(
        self, argv: Sequence[str], folder: Path, report: Path, deadline_s: float, on_tick: OnTick
    ) -> NmapResult: ...


class WorkerTable(HeldShards, Protocol):
    """What a worker may do with the table: its role allows nothing else."""

    def scan_brief(self, scan_id: str) -> ScanBrief | None:
        """As in Scans."""


class WorkerReports(Protocol):
    """What a worker may do with the bucket."""

    def put_report(self, key: ReportKey, path: Path, metadata: Mapping[str, str]) -> None:
        """As in ReportStore."""


class Telemetry(Protocol):
    """Where a worker's metrics and traces go. Nothing of it may fail or delay the work."""

    def count(self, figures: Mapping[str, float]) -> None:
        """Add to metrics, by their name. NmapSeconds is in seconds, ReportBytes in bytes."""

    def trace(self, started_at: float, *, failed: bool) -> None:
        """Add what was done since `started_at` (epoch seconds) to the trace of the log context."""


class NoTelemetry:
    def count(self, figures: Mapping[str, float]) -> None: ...

    def trace(self, started_at: float, *, failed: bool) -> None: ...


NO_TELEMETRY = NoTelemetry()


@dataclass(frozen=True, slots=True)
class Worker:
    """Everything a worker needs to run shards."""

    name: str
    nmap: tuple[str, ...]  # the command, with its leading arguments
    table: WorkerTable
    reports: WorkerReports
    returns: ReturnedShards
    scope: Scope
    resolver: Resolver
    clock: Clock
    run: RunNmap = run_nmap
    telemetry: Telemetry = NO_TELEMETRY
    capacity: Capacity = Capacity.ON_DEMAND


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of a shard's message, and how long the worker may hold its shard."""

    message_id: str  # the same in every delivery of the message
    time_limit_s: float  # of nmap
    lease_s: float  # after so long without a heartbeat another worker may take the shard over
    deliveries: int = 1  # of the message so far, this one included
    # Hides the message for another lease; raises GatewayUnavailable
    extend: Callable[[], object] = bool
    stopping: Callable[[], object] = bool  # true: the worker process must end
