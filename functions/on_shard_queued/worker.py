"""Drain a shard queue: the process of a Fargate task.

Wakes on    its start; then polls ShardQueued from the queue of its lane
Reads       the shard, from the scan table
Writes      the shard's state and what nmap did; nmap's XML, to the report bucket
Emits       nothing: the report's arrival in the bucket is the event
On failure  the message returns to the queue; the last time to the DLQ, where on_shard_abandoned closes the shard.
            On SIGTERM nmap is stopped, its message goes back at once, and the worker ends.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import asdict, dataclass
from types import FrameType

from aws_lambda_powertools import Logger

from cascan.aws.report_store import S3ReportStore
from cascan.aws.scan_table import DynamoScanTable
from cascan.aws.shard_source import MAX_WAIT_S, Received, SqsShardSource
from cascan.clock import utc_now
from cascan.errors import CascanError, GatewayUnavailable
from cascan.events import ShardQueued
from cascan.scope import Scope
from cascan.settings import from_env
from on_shard_queued.resolver import SystemResolver
from on_shard_queued.run_shard import Worker, run_shard

logger = Logger(service="worker")
HOLD_S = 120  # a message whose worker died returns after this long
HEARTBEAT_S = 30.0  # a quarter of it: three heartbeats may fail
QUEUE_ERRORS_IN_A_ROW = 10  # then the task ends with an error, and a new one is started while shards wait


@dataclass(frozen=True, slots=True)
class Settings:
    lane: str
    shard_queue_url: str
    scan_table: str
    report_bucket: str
    allowed_targets: tuple[str, ...]
    denied_targets: tuple[str, ...]
    nmap_command: str
    idle_exit_s: int
    shard_timeout_s: int


class Drain:
    """One worker's loop: one shard at a time, until the queue stays empty for `idle_exit_s` or somebody says stop."""

    def __init__(self, source: SqsShardSource, worker: Worker, idle_exit_s: int, shard_timeout_s: int) -> None:
        self._source = source
        self._worker = worker
        self._idle_exit_s = idle_exit_s
        self._shard_timeout_s = shard_timeout_s
        self._stopping = ""

    def stop(self, signum: int, _frame: FrameType | None) -> None:
        self._stopping = signal.Signals(signum).name

    def run(self) -> None:
        """Raises: GatewayUnavailable: the queue failed QUEUE_ERRORS_IN_A_ROW times."""
        errors, idle_since = 0, time.monotonic()
        while not self._stopping and time.monotonic() - idle_since <= self._idle_exit_s:
            try:
                received = self._source.receive(min(MAX_WAIT_S, max(1, self._idle_exit_s)), HOLD_S)
                errors = 0
            except GatewayUnavailable:
                errors += 1
                if errors >= QUEUE_ERRORS_IN_A_ROW:
                    raise
                time.sleep(min(10.0, 0.5 * 2**errors))
                continue
            if received:
                self._handle(received)
                idle_since = time.monotonic()
        logger.info("worker ends", extra={"why": self._stopping or "idle"})

    def _handle(self, received: Received) -> None:
        if self._stopping:  # received while the signal arrived
            self._source.hold(received, 0)
            return
        try:
            message = ShardQueued.from_wire(received.body)
            outcome = run_shard(
                message,
                received.attempt,
                worker=self._worker,
                deadline_s=self._shard_timeout_s,
                on_tick=self._heartbeat(received),
            )
            self._source.delete(received)
            logger.info("shard run", extra=asdict(outcome))
        except CascanError as exc:  # the queue decides: the message returns, and is parked when out of attempts
            logger.warning("shard not run", extra={"error": type(exc).__name__, "reason": str(exc)})
            self._give_back(received)

    def _give_back(self, received: Received) -> None:
        try:
            self._source.hold(received, 0 if self._stopping else 5)
        except GatewayUnavailable:
            logger.warning("message not given back; it returns by itself", extra={"after_s": HOLD_S})

    def _heartbeat(self, received: Received) -> Heartbeat:
        return Heartbeat(self, received, self._source)

    @property
    def stopping(self) -> str:
        return self._stopping


class Heartbeat:
    """Called while nmap lives: keeps the message hidden, and stops nmap when the worker must end."""

    def __init__(self, drain: Drain, received: Received, source: SqsShardSource) -> None:
        self._drain, self._received, self._source = drain, received, source
        self._last = time.monotonic()

    def __call__(self) -> str:
        if time.monotonic() - self._last >= HEARTBEAT_S:
            try:
                self._source.hold(self._received, HOLD_S)
                self._last = time.monotonic()
            except GatewayUnavailable:
                logger.warning("heartbeat failed", extra={"shard_message": self._received.receipt[:16]})
        return self._drain.stopping


def main() -> int:
    settings = from_env(Settings, os.environ)
    worker = Worker(
        name=f"{settings.lane}/{os.environ.get('HOSTNAME', os.getpid())}",
        nmap=tuple(settings.nmap_command.split()),
        table=DynamoScanTable(settings.scan_table),
        reports=S3ReportStore(settings.report_bucket),
        scope=Scope.of(settings.allowed_targets, settings.denied_targets),
        resolver=SystemResolver(),
        clock=utc_now,
    )
    drain = Drain(SqsShardSource(settings.shard_queue_url), worker, settings.idle_exit_s, settings.shard_timeout_s)
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, drain.stop)
    drain.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
