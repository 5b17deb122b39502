"""Do what a person, or a program, asks of a scan that exists already.

Wakes on    ControlRequested, through the control queue (batches of 1)
Reads       the scan and its shards, from the scan table
Writes      the scan's state; its open shards, when it is cancelled; the switch that halts the whole stack; of what
            keeps standing still, a record in the report bucket
Emits       ShardQueued for shards that may go on; ScanCancelled, ScanSuspended, ScanResumed
On failure  the message returns to the queue; the fifth failure parks one in its DLQ
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from cascan.aws.closing import ClosingSettings, closing_gateways
from cascan.aws.house_records import S3HouseRecords
from cascan.aws.report_store import S3ReportStore
from cascan.control import ControlRequested
from cascan.settings import from_env
from edge import count, logger, queue_handler
from on_control_requested.control_scan import Controlled, control


@dataclass(frozen=True, slots=True)
class Settings(ClosingSettings):
    report_bucket: str


@cache
def wire() -> Callable[..., Controlled]:
    settings = from_env(Settings, os.environ)
    return partial(
        control,
        reports=S3ReportStore(settings.report_bucket),
        house=S3HouseRecords(settings.report_bucket),
        **closing_gateways(settings),
    )


def on_record(record: SQSRecord) -> None:
    sender = record.attributes.sender_id or ""
    outcome = wire()(ControlRequested.from_wire(record.body), sender=sender)
    logger.warning("controlled", extra=asdict(outcome) | {"sender": sender})  # somebody interfered: worth finding again
    count("Controlled")


handler = queue_handler(on_record, wire)
