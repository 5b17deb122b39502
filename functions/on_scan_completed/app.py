"""Publish the results of a completed scan.

Wakes on    ScanCompleted, through the completion queue behind a rule on the bus (batches of 1)
Reads       the scan's findings, from the scan table
Writes      results/<scan id>/findings.json, to the report bucket; the scan is Done
Emits       nothing
On failure  the message returns to the queue; the fifth failure parks it in its DLQ
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

from cascan.aws.report_store import S3ReportStore
from cascan.aws.scan_table import DynamoScanTable
from cascan.errors import Rejected
from cascan.events import ScanCompleted, event_in
from cascan.settings import from_env
from on_scan_completed.publish import Published, publish

logger, metrics, tracer = Logger(), Metrics(), Tracer(patch_modules=["botocore"])
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)


@dataclass(frozen=True, slots=True)
class Settings:
    scan_table: str
    report_bucket: str


@cache
def wire() -> Callable[[ScanCompleted], Published]:
    settings = from_env(Settings, os.environ)
    return partial(publish, table=DynamoScanTable(settings.scan_table), reports=S3ReportStore(settings.report_bucket))


def on_record(record: SQSRecord) -> None:
    try:
        outcome = wire()(event_in(record.body, ScanCompleted))
    except Rejected as exc:
        logger.error("completion rejected", extra={"reason": str(exc), "message_id": record.message_id})
        metrics.add_metric("CompletionsRejected", MetricUnit.Count, 1)
        raise
    except Exception:  # the batch processor keeps to itself why a message failed
        logger.exception("results not published", extra={"message_id": record.message_id})
        raise
    logger.info("results published", extra=asdict(outcome))
    metrics.add_metric("ScansPublished", MetricUnit.Count, 1)


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    if event.get("Records") == []:  # somebody warms the function
        wire()
        metrics.add_metric("WarmedUp", MetricUnit.Count, 1)
        return {"batchItemFailures": []}
    response = process_partial_response(event, on_record, processor, context)
    metrics.add_metric("MessagesFailed", MetricUnit.Count, len(response["batchItemFailures"]))
    return response
