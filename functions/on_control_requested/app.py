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
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import cache, partial

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from cascan.aws.s3.operator_records import S3OperatorRecords
from cascan.aws.s3.report_store import S3ReportStore
from cascan.aws.wiring import ClosingSettings, closing_gateways
from cascan.clock import TimeLeft
from cascan.events.control import ControlRequested
from cascan.settings import from_env
from edge import count, logger, queue_handler, seconds_left
from on_control_requested.control_scan import Controlled, control_scan, finish_cancelling


@dataclass(frozen=True, slots=True)
class Settings(ClosingSettings):
    report_bucket: str


@dataclass(frozen=True, slots=True)
class Wired:
    control: Callable[..., Controlled]
    finish: Callable[[Iterable[str], TimeLeft], int]


@cache
def wire() -> Wired:
    settings = from_env(Settings, os.environ)
    common = closing_gateways(settings)
    reports, house = S3ReportStore(settings.report_bucket), S3OperatorRecords(settings.report_bucket)
    return Wired(partial(control_scan, reports=reports, house=house, **common), partial(finish_cancelling, **common))


_closing: list[str] = []  # wide scans that were cancelled by the batch at hand


def on_record(record: SQSRecord, lambda_context: LambdaContext) -> None:
    sender, left_s = record.attributes.sender_id or "", seconds_left(lambda_context)
    outcome = wire().control(ControlRequested.from_wire(record.body), sender=sender, left_s=left_s)
    logger.warning("controlled", extra=asdict(outcome) | {"sender": sender})  # somebody interfered: worth finding again
    count("Controlled")
    if outcome.closing:
        _closing.append(outcome.scan_id)


def after_batch(context: LambdaContext) -> None:
    """Every message has had its effect, a halt too: now the work that a wide scan makes, in what time is left."""
    scan_ids = list(dict.fromkeys(_closing))
    _closing.clear()
    if scan_ids:
        ended = wire().finish(scan_ids, seconds_left(context))
        logger.info("wide scans cancelled", extra={"scan_ids": scan_ids, "ended": ended})


handler = queue_handler(on_record, wire, after_batch)
