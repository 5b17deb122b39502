"""Plan a requested scan.

Wakes on    a scan request, short form or secureCodeBox manifest, through the request queue (batches of 10)
Reads       nothing but the message
Writes      the scan and its shards; or the scan as Errored, with the reasons of its refusal
Emits       ShardQueued for each shard, to the queue of its lane; ScanPlanned, or ScanFailed for a refusal
On failure  only the failed messages return to the queue; the fifth failure parks one in its DLQ; a refusal is none
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
from cascan.aws.shard_queues import SqsShardQueues
from cascan.clock import utc_now
from cascan.model.shard import Lane
from cascan.scope import Scope
from cascan.settings import from_env
from on_scan_requested.plan_scan import Planned, plan_scan

logger, metrics, tracer = Logger(), Metrics(), Tracer(patch_modules=["botocore"])
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)


@dataclass(frozen=True, slots=True)
class Settings:
    scan_table: str
    scan_bus: str
    express_shard_queue_url: str
    connect_shard_queue_url: str
    raw_shard_queue_url: str
    allowed_targets: tuple[str, ...]
    denied_targets: tuple[str, ...]
    express_reaches: str  # "private": its Lambda runs in the operator's subnets; "public": it does not


@cache
def wire() -> Callable[[str, str], Planned]:
    settings = from_env(Settings, os.environ)
    urls = {
        Lane.EXPRESS: settings.express_shard_queue_url,
        Lane.CONNECT: settings.connect_shard_queue_url,
        Lane.RAW: settings.raw_shard_queue_url,
    }
    return partial(
        plan_scan,
        table=DynamoScanTable(settings.scan_table),
        queues=SqsShardQueues(urls),
        bus=EventBridgeBus(settings.scan_bus),
        scope=Scope.of(settings.allowed_targets, settings.denied_targets),
        express_reaches_private=settings.express_reaches == "private",
        clock=utc_now,
    )


def on_record(record: SQSRecord) -> None:
    try:
        outcome = wire()(record.message_id, record.body)
    except Exception:  # the batch processor keeps to itself why a message failed
        logger.exception("request not planned", extra={"message_id": record.message_id})
        raise
    if outcome.refused:
        logger.warning("scan refused", extra=asdict(outcome))
        metrics.add_metric("ScansRefused", MetricUnit.Count, 1)
    else:
        logger.info("scan planned", extra=asdict(outcome))
        metrics.add_metric("ScansPlanned", MetricUnit.Count, 1)


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    response = process_partial_response(event, on_record, processor, context)
    metrics.add_metric("MessagesFailed", MetricUnit.Count, len(response["batchItemFailures"]))
    return response
