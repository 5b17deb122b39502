"""What runs a shard: the worker, wired once, and the delivery of one message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cascan.clock import Clock
from cascan.gateways import ReportStore, Resolver, ScanTable, ShardQueues
from cascan.model.shard import Lane
from cascan.permissions.scope import Scope
from on_shard_queued.nmap_process import NmapResult, OnTick, run_nmap


class RunNmap(Protocol):
    def __call__(
        self, argv: Sequence[str], folder: Path, report: Path, deadline_s: float, on_tick: OnTick
    ) -> NmapResult: ...


@dataclass(frozen=True, slots=True)
class Worker:
    """Everything a worker needs to run shards."""

    name: str
    nmap: tuple[str, ...]  # the command, with its leading arguments
    table: ScanTable
    reports: ReportStore
    queues: ShardQueues
    scope: Scope
    resolver: Resolver
    clock: Clock
    lane: Lane = Lane.CONNECT
    run: RunNmap = run_nmap


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of a shard's message, and for how long its shard may be held."""

    message_id: str  # the same in every delivery of the message
    time_limit_s: float  # of nmap
    lease_s: float  # without a heartbeat the shard may be taken over after so long
    deliveries: int = 1  # of the message so far, this one included
    extend: Callable[[], object] = bool  # keeps the message hidden for another lease; raises GatewayUnavailable
    stopping: Callable[[], object] = bool  # true: the worker itself must end
