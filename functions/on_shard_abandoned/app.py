"""Close a shard that is out of attempts.

Wakes on    ShardQueued, through the dead-letter queues of the three shard queues (batches of 10)
Reads       the shard, from the scan table
Writes      the shard's failure; the scan's end, when this was its last open shard
Emits       ScanCompleted or ScanFailed after the last shard
On failure  only the failed messages return to the queue; the fifth failure parks one in ParkedShards
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from cascan.aws.event_bus import EventBridgeBus
from cascan.aws.scan_table import DynamoScanTable
from cascan.clock import utc_now
from cascan.errors import Rejected
from cascan.events import ShardQueued
from cascan.settings import from_env
from on_shard_abandoned.close_shard import Closed, close_abandoned

logger, metrics, tracer = Logger(), Metrics(), Tracer(patch_modules=["botocore"])
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)


@dataclass(frozen=True, slots=True)
class Settings:
    scan_table: str
    scan_bus: str


@cache
def wire() -> Callable[[ShardQueued], Closed]:
    settings = from_env(Settings, os.environ)
    return partial(
        close_abandoned,
        table=DynamoScanTable(settings.scan_table),
        bus=EventBridgeBus(settings.scan_bus),
        clock=utc_now,
    )


def on_record(record: SQSRecord) -> None:
    try:
        outcome = wire()(ShardQueued.from_wire(record.body))
    except Rejected as exc:
        logger.error("shard message rejected", extra={"reason": str(exc), "message_id": record.message_id})
        metrics.add_metric("ShardMessagesRejected", MetricUnit.Count, 1)
        raise
    except Exception:  # the batch processor keeps to itself why a message failed
        logger.exception("shard not closed", extra={"message_id": record.message_id})
        raise
    logger.warning("shard abandoned", extra=asdict(outcome))
    metrics.add_metric("ShardsAbandoned", MetricUnit.Count, 1)


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    response = process_partial_response(event, on_record, processor, context)
    metrics.add_metric("MessagesFailed", MetricUnit.Count, len(response["batchItemFailures"]))
    return response
