"""Close a shard that is out of attempts.

Wakes on    ShardQueued, through the dead-letter queues of the three shard queues (batches of 10)
Reads       the shard, from the scan table
Writes      the shard's failure; the scan's end, when this was its last open shard
Emits       ShardQueued for shards that waited; ScanCompleted or ScanFailed after the last
On failure  only the failed messages return to the queue; the fifth failure parks one in ParkedShards
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from cascan.aws.event_bus import EventBridgeBus
from cascan.aws.scan_table import DynamoScanTable
from cascan.aws.shard_queues import SqsShardQueues
from cascan.clock import utc_now
from cascan.events import ShardQueued
from cascan.settings import from_env
from edge import count, logger, queue_handler
from on_shard_abandoned.close_shard import Closed, close_abandoned


@dataclass(frozen=True, slots=True)
class Settings:
    scan_table: str
    scan_bus: str
    express_shard_queue_url: str
    connect_shard_queue_url: str
    raw_shard_queue_url: str


@cache
def wire() -> Callable[[ShardQueued, str], Closed]:
    settings = from_env(Settings, os.environ)
    return partial(
        close_abandoned,
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
    outcome = wire()(ShardQueued.from_wire(record.body), record.message_id)
    logger.warning("shard abandoned", extra=asdict(outcome))
    count("ShardsAbandoned", outcome.shard_state == "failed")


handler = queue_handler(on_record, wire)
