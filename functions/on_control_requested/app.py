"""Do what a person, or a program, asks of a scan that exists already.

Wakes on    ControlRequested, through the control queue (batches of 10)
Reads       the scan and its shards, from the scan table
Writes      the scan's state; its open shards, when it is cancelled; the switch that halts the whole stack; of what
            keeps standing still, a record in the report bucket
Emits       ShardQueued for shards that may go on; ScanCancelled, ScanSuspended, ScanResumed
On failure  only the failed messages return to the queue; the fifth failure parks one in its DLQ
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from cascan.aws.event_bus import EventBridgeBus
from cascan.aws.house_records import S3HouseRecords
from cascan.aws.report_store import S3ReportStore
from cascan.aws.scan_table import DynamoScanTable
from cascan.aws.shard_queues import SqsShardQueues
from cascan.clock import utc_now
from cascan.control import ControlRequested
from cascan.settings import from_env
from edge import count, logger, queue_handler
from on_control_requested.control_scan import Controlled, control


@dataclass(frozen=True, slots=True)
class Settings:
    report_bucket: str
    scan_table: str
    scan_bus: str
    express_shard_queue_url: str
    connect_shard_queue_url: str
    raw_shard_queue_url: str


@cache
def wire() -> Callable[[ControlRequested], Controlled]:
    settings = from_env(Settings, os.environ)
    return partial(
        control,
        reports=S3ReportStore(settings.report_bucket),
        house=S3HouseRecords(settings.report_bucket),
        table=DynamoScanTable(settings.scan_table),
        queues=SqsShardQueues.of(
            express=settings.express_shard_queue_url,
            connect=settings.connect_shard_queue_url,
            raw=settings.raw_shard_queue_url,
        ),
        bus=EventBridgeBus(settings.scan_bus),
        clock=utc_now,
    )


def on_record(record: SQSRecord) -> None:
    outcome = wire()(ControlRequested.from_wire(record.body))
    logger.warning("controlled", extra=asdict(outcome))  # somebody interfered: worth finding again
    count("Controlled")


handler = queue_handler(on_record, wire)
