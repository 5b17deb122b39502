"""Settle a shard that its worker does not finish: it waits, is queued again, or has failed.

Wakes on    ShardReturned, through the queue of returned shards; ShardQueued, through the dead-letter
            queues of the three shard queues (batches of 1)
Reads       the shard, from the scan table
Writes      the shard's state; its failure and the scan's end, when this was its last open shard
Emits       ShardQueued for the shard, and for shards that waited; ScanCompleted or ScanFailed after
            the last
On failure  the message returns to the queue; after the fifth failure SQS moves it to ParkedShards.
            A message that no retry can help is parked there at once, with the reason
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from functools import cache

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from cascan.aws.sqs.park_message import REASON, park_message
from cascan.aws.wiring import ScanSettings, scan_gateways
from cascan.errors import MalformedMessage
from cascan.events import ShardQueued, ShardReturned
from cascan.gateways import ScanGateways
from cascan.settings import from_env
from edge import count, logger, queue_handler
from on_shard_abandoned.close_abandoned_shard import close_abandoned_shard
from on_shard_abandoned.take_back_shard import take_back_shard


@dataclass(frozen=True, slots=True)
class Settings(ScanSettings):
    parked_shards_url: str
    returned_shard_queue_arn: str


@cache
def wire() -> ScanGateways:
    return scan_gateways(settings())


@cache
def settings() -> Settings:
    return from_env(Settings, os.environ)


def on_record(record: SQSRecord) -> None:
    if record.event_source_arn == settings().returned_shard_queue_arn:
        _on_returned(record)
        return
    outcome = close_abandoned_shard(ShardQueued.from_wire(record.body), record.message_id, wire())
    logger.warning("shard abandoned", extra=asdict(outcome))
    count("ShardsAbandoned", outcome.shard_state == "failed")


def _on_returned(record: SQSRecord) -> None:
    reason = record.message_attributes[REASON]
    if reason is not None:  # a worker could not read it as the message of a shard
        raise MalformedMessage(reason.string_value or "rejected by a worker")
    deliveries = int(record.attributes.approximate_receive_count)
    message = ShardReturned.from_wire(record.body)
    outcome = take_back_shard(message, wire(), deliveries=deliveries)
    logger.info("shard returned", extra=asdict(outcome))
    count("ShardsReturned")
    count("ShardsAbandoned", outcome.shard_state == "failed")


def park_shard(body: str, reason: str) -> None:
    park_message(settings().parked_shards_url, body, reason)


handler = queue_handler(on_record, wire, park=park_shard)
