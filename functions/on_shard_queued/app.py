"""Run an express shard: small, unprivileged, on Lambda.

Wakes on    ShardQueued, through the express shard queue (batches of 1)
Reads       the shard, from the scan table
Writes      the shard's state and what nmap did; nmap's XML, to the report bucket
Sends       ShardReturned, for a shard that it does not run to its end
Emits       nothing: the report's arrival in the bucket is the event
On failure  on_shard_abandoned queues the shard again, or gives it up; it parks a message that no
            retry can help. What is not finished in the function's time goes to the connect lane
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from cascan.aws.s3.report_store import S3ReportStore
from cascan.aws.sqs.returned_shards import SqsReturnedShards
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.clock import utc_now
from cascan.events import ShardQueued
from cascan.model.usage import Capacity
from cascan.permissions.scope import Scope
from cascan.settings import from_env
from edge import count, logger, queue_handler
from on_shard_queued.delivery import Delivery, NoTelemetry, Worker
from on_shard_queued.resolver import DnsResolver
from on_shard_queued.run_shard import run_shard

RESERVE_S = 20.0  # of the function's time, kept for storing the report


@dataclass(frozen=True, slots=True)
class Settings:
    scan_table: str
    report_bucket: str
    returned_shard_queue_url: str
    nmap_command: str
    denied_targets: tuple[str, ...]
    allowed_targets: tuple[str, ...]


class ExpressTelemetry(NoTelemetry):
    """Metrics of the invocation; the edge adds to its trace."""

    def count(self, figures: Mapping[str, float]) -> None:
        for name, number in figures.items():
            count(name, number)


@cache
def wire() -> Worker:
    settings = from_env(Settings, os.environ)
    return Worker(
        name="express",
        nmap=tuple(settings.nmap_command.split()),
        table=DynamoScanTable(settings.scan_table),
        reports=S3ReportStore(settings.report_bucket),
        returns=SqsReturnedShards(settings.returned_shard_queue_url),
        scope=Scope.of(settings.allowed_targets, settings.denied_targets),
        resolver=DnsResolver(),
        clock=utc_now,
        telemetry=ExpressTelemetry(),
        capacity=Capacity.LAMBDA,
    )


def on_record(record: SQSRecord, lambda_context: LambdaContext) -> None:
    worker, left_s = wire(), lambda_context.get_remaining_time_in_millis() / 1000
    delivery = Delivery(
        record.message_id,
        time_limit_s=left_s - RESERVE_S,
        lease_s=left_s,  # long enough without a heartbeat
        deliveries=int(record.attributes.approximate_receive_count),
    )
    outcome = run_shard(ShardQueued.from_wire(record.body), delivery, worker=worker)
    (logger.warning if outcome.error else logger.info)("shard run", extra=asdict(outcome))
    worker.telemetry.count(outcome.figures)


def park(body: str, reason: str) -> None:
    wire().returns.park(body, reason)


handler = queue_handler(on_record, wire, park=park)
