"""Publish the results of a completed scan.

Wakes on    ScanCompleted, through the completion queue behind a rule on the bus (batches of 1)
Reads       the scan's findings and shards, from the scan table; its reports, from the report bucket
Writes      results/<scan id>/findings.json and nmap.xml, to the report bucket; the scan is Done
Emits       nothing
On failure  the message returns to the queue; the fifth failure parks it in its DLQ
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from cascan.aws.report_store import S3ReportStore
from cascan.aws.scan_table import DynamoScanTable
from cascan.events import ScanCompleted, event_in
from cascan.settings import from_env
from edge import count, logger, queue_handler
from on_scan_completed.publish import Published, publish


@dataclass(frozen=True, slots=True)
class Settings:
    scan_table: str
    report_bucket: str


@cache
def wire() -> Callable[[ScanCompleted], Published]:
    settings = from_env(Settings, os.environ)
    return partial(publish, table=DynamoScanTable(settings.scan_table), reports=S3ReportStore(settings.report_bucket))


def on_record(record: SQSRecord) -> None:
    outcome = wire()(event_in(record.body, ScanCompleted))
    logger.info("results published", extra=asdict(outcome))
    count("ScansPublished")


handler = queue_handler(on_record, wire)
