"""Close a shard that is out of attempts.

Wakes on    ShardQueued, through the dead-letter queues of the three shard queues (batches of 1)
Reads       the shard, from the scan table
Writes      the shard's failure; the scan's end, when this was its last open shard
Emits       ShardQueued for shards that waited; ScanCompleted or ScanFailed after the last
On failure  the message returns to the queue; after the fifth failure SQS moves it to ParkedShards.
            A message that no retry can help is parked there at once, with the reason
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from cascan.aws.sqs.park_message import park_message
from cascan.aws.wiring import ScanSettings, scan_gateways
from cascan.events import ShardQueued
from cascan.settings import from_env
from edge import count, logger, queue_handler
from on_shard_abandoned.close_abandoned_shard import AbandonedShard, close_abandoned_shard


@dataclass(frozen=True, slots=True)
class Settings(ScanSettings):
    parked_shards_url: str


@cache
def wire() -> Callable[[ShardQueued, str], AbandonedShard]:
    return partial(close_abandoned_shard, gateways=scan_gateways(settings()))


@cache
def settings() -> Settings:
    return from_env(Settings, os.environ)


def on_record(record: SQSRecord) -> None:
    outcome = wire()(ShardQueued.from_wire(record.body), record.message_id)
    logger.warning("shard abandoned", extra=asdict(outcome))
    count("ShardsAbandoned", outcome.shard_state == "failed")


def park_shard(body: str, reason: str) -> None:
    park_message(settings().parked_shards_url, body, reason)


handler = queue_handler(on_record, wire, park=park_shard)
