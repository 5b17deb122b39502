"""Drain a shard queue: the process of a Fargate task.

Wakes on    its start; then polls ShardQueued from the queue of its lane
Reads       the shard, from the scan table
Writes      the shard's state and what nmap did; nmap's XML, to the report bucket
Emits       nothing: the report's arrival in the bucket is the event
On failure  the shard gets a new message; one that is out of attempts goes to the DLQ, where
            on_shard_abandoned closes it. A message that no retry can help goes there at once. On
            SIGTERM nmap is stopped, its finished hosts are kept, the others are returned to the
            queue at once, and the worker ends.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from types import FrameType

from aws_lambda_powertools import Logger

from cascan.aws.s3.report_store import S3ReportStore
from cascan.aws.sqs.shard_queues import SqsShardQueues
from cascan.aws.sqs.shard_source import SqsShardSource
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.clock import utc_now
from cascan.model.shard import Lane
from cascan.nmap.options.raw_sockets import find_raw_socket_problem
from cascan.permissions.scope import Scope
from cascan.settings import from_env
from on_shard_queued.delivery import Worker
from on_shard_queued.drain import Drain
from on_shard_queued.resolver import DnsResolver
from on_shard_queued.slots import start_other_slots

logger = Logger(service="worker")  # drain.py and heartbeat.py log through it, by its name


@dataclass(frozen=True, slots=True)
class Settings:
    lane: Lane
    shard_queue_url: str
    shard_dlq_url: str
    scan_table: str
    report_bucket: str
    allowed_targets: tuple[str, ...]
    denied_targets: tuple[str, ...]
    nmap_command: str
    idle_exit_s: int
    shard_timeout_s: int
    worker_slots: int


def main() -> int:
    settings = from_env(Settings, os.environ)
    # First: the copies must not inherit open connections
    slots = start_other_slots(settings.worker_slots)
    worker = Worker(
        name=f"{settings.lane}/{os.environ.get('HOSTNAME', 'here')}/{os.getpid()}",
        nmap=tuple(settings.nmap_command.split()),
        table=DynamoScanTable(settings.scan_table),
        reports=S3ReportStore(settings.report_bucket),
        queues=SqsShardQueues(
            {settings.lane: settings.shard_queue_url},
            {settings.lane: settings.shard_dlq_url},
        ),
        scope=Scope.of(settings.allowed_targets, settings.denied_targets),
        resolver=DnsResolver(),
        clock=utc_now,
        lane=settings.lane,
    )
    if settings.lane == Lane.RAW and (why := find_raw_socket_problem(worker.nmap[0])):
        logger.error("raw sockets are not available: every shard will fail", extra={"reason": why})
    drain = Drain(
        SqsShardSource(settings.shard_queue_url),
        worker,
        settings.idle_exit_s,
        settings.shard_timeout_s,
    )

    def stop(signum: int, frame: FrameType | None) -> None:
        drain.stop(signum, frame)
        slots.pass_on(signum)

    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, stop)
    try:
        drain.run()
    finally:
        code = slots.wait()
    logger.info("worker ends", extra={"why": drain.stopping or "idle"})
    return code


if __name__ == "__main__":
    sys.exit(main())
