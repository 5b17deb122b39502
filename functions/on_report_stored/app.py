"""Record the findings of a stored nmap report.

Wakes on    Object Created under reports/, through the reports queue (batches of 10)
Reads       the report, from the report bucket; its shard, from the scan table
Writes      findings and inventory, keyed by ids derived from the report; the shard's end, and the scan's end
Emits       FindingsRecorded; ScanCompleted or ScanFailed after the last shard
On failure  only the failed messages return to the queue; the fifth failure parks one in its DLQ
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
from cascan.aws.report_store import S3ReportStore
from cascan.aws.scan_table import DynamoScanTable
from cascan.clock import utc_now
from cascan.errors import Rejected
from cascan.events import ReportStored
from cascan.settings import from_env
from on_report_stored.record_findings import Recorded, record_findings

logger, metrics, tracer = Logger(), Metrics(), Tracer(patch_modules=["botocore"])
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)


@dataclass(frozen=True, slots=True)
class Settings:
    report_bucket: str
    scan_table: str
    scan_bus: str


@cache
def wire() -> Callable[[ReportStored], Recorded]:
    settings = from_env(Settings, os.environ)
    return partial(
        record_findings,
        reports=S3ReportStore(settings.report_bucket),
        table=DynamoScanTable(settings.scan_table),
        bus=EventBridgeBus(settings.scan_bus),
        clock=utc_now,
    )


def on_record(record: SQSRecord) -> None:
    try:
        outcome = wire()(ReportStored.from_wire(record.body))
    except Rejected as exc:
        logger.error("report rejected", extra={"reason": str(exc), "message_id": record.message_id})
        metrics.add_metric("ReportsRejected", MetricUnit.Count, 1)
        raise
    except Exception:  # the batch processor keeps to itself why a message failed
        logger.exception("report not recorded", extra={"message_id": record.message_id})
        raise
    logger.info("findings recorded", extra=asdict(outcome))
    metrics.add_metric("FindingsRecorded", MetricUnit.Count, outcome.findings)


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
