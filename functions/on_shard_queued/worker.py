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
from dataclasses import dataclass

from aws_lambda_powertools import Logger

from cascan.aws.report_store import S3ReportStore
from cascan.aws.scan_table import DynamoScanTable
from cascan.aws.shard_source import SqsShardSource
from cascan.clock import utc_now
from cascan.model.shard import Lane
from cascan.nmap.raw_sockets import why_not_raw
from cascan.scope import Scope
from cascan.settings import from_env
from on_shard_queued.drain import Drain
from on_shard_queued.resolver import SystemResolver
from on_shard_queued.run_shard import Worker

logger = Logger(service="worker")  # drain.py logs through it, by its name


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
    if settings.lane == Lane.RAW and (why := why_not_raw(worker.nmap[0])):
        logger.error("raw sockets are not to be had: every shard will fail", extra={"reason": why})
    drain = Drain(SqsShardSource(settings.shard_queue_url), worker, settings.idle_exit_s, settings.shard_timeout_s)
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, drain.stop)
    drain.run()
    logger.info("worker ends", extra={"why": drain.stopping or "idle"})
    return 0


if __name__ == "__main__":
    sys.exit(main())
