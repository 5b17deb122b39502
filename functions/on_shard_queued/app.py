"""Run an express shard: small, unprivileged, on Lambda.

Wakes on    ShardQueued, through the express shard queue (batches of 1)
Reads       the shard, from the scan table
Writes      the shard's state and what nmap did; nmap's XML, to the report bucket
Emits       nothing: the report's arrival in the bucket is the event
On failure  the message returns to the queue; the last time to the DLQ, where on_shard_abandoned closes the shard
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from cascan.aws.report_store import S3ReportStore
from cascan.aws.scan_table import DynamoScanTable
from cascan.clock import utc_now
from cascan.events import ShardQueued
from cascan.scope import Scope
from cascan.settings import from_env
from edge import count, logger, queue_handler
from on_shard_queued.resolver import SystemResolver
from on_shard_queued.run_shard import ShardRun, Worker, run_shard

RESERVE_S = 20.0  # of the function's time, kept for storing the report


@dataclass(frozen=True, slots=True)
class Settings:
    scan_table: str
    report_bucket: str
    nmap_command: str
    denied_targets: tuple[str, ...]
    allowed_targets: tuple[str, ...]


@cache
def wire() -> Callable[..., ShardRun]:
    settings = from_env(Settings, os.environ)
    worker = Worker(
        name="express",
        nmap=tuple(settings.nmap_command.split()),
        table=DynamoScanTable(settings.scan_table),
        reports=S3ReportStore(settings.report_bucket),
        scope=Scope.of(settings.allowed_targets, settings.denied_targets),
        resolver=SystemResolver(),
        clock=utc_now,
    )
    return partial(run_shard, worker=worker)


def on_record(record: SQSRecord, lambda_context: LambdaContext) -> None:
    deadline_s = lambda_context.get_remaining_time_in_millis() / 1000 - RESERVE_S
    outcome = wire()(ShardQueued.from_wire(record.body), record.message_id, deadline_s=deadline_s)
    logger.info("shard run", extra=asdict(outcome))
    count("ShardsRun")


handler = queue_handler(on_record, wire)
