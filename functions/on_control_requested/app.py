"""Cancel, suspend or resume a scan; halt the whole stack, or lift the halt.

Wakes on    ControlRequested, through the control queue (batches of 1)
Reads       the scan and its shards, from the scan table
Writes      the scan's state; its open shards, when it is cancelled; the switch that halts the whole
            stack; a record in the report bucket of what is suspended or halted
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
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.aws.wiring import ScanSettings, scan_gateways
from cascan.clock import TimeLeft
from cascan.events.control import ControlRequested
from cascan.settings import from_env
from edge import count, logger, queue_handler, seconds_left
from on_control_requested.control_scan import ControlOutcome, control_scan, finish_cancelling


@dataclass(frozen=True, slots=True)
class Settings(ScanSettings):
    report_bucket: str


@dataclass(frozen=True, slots=True)
class Controls:
    control: Callable[..., ControlOutcome]
    finish: Callable[[Iterable[str], TimeLeft], int]


@cache
def wire() -> Controls:
    settings = from_env(Settings, os.environ)
    table = DynamoScanTable(settings.scan_table)
    gateways = scan_gateways(settings, table)
    control = partial(
        control_scan,
        gateways=gateways,
        reports=S3ReportStore(settings.report_bucket),
        operator_records=S3OperatorRecords(settings.report_bucket),
        stack_switch=table,
    )
    return Controls(control, partial(finish_cancelling, gateways=gateways))


_closing: list[str] = []  # wide scans that the current batch cancelled


def on_record(record: SQSRecord, lambda_context: LambdaContext) -> None:
    sender, left_s = record.attributes.sender_id or "", seconds_left(lambda_context)
    outcome = wire().control(ControlRequested.from_wire(record.body), sender=sender, left_s=left_s)
    # At this level, since an operator intervened
    logger.warning("controlled", extra=asdict(outcome) | {"sender": sender})
    count("Controlled")
    if outcome.closing:
        _closing.append(outcome.scan_id)


def after_batch(context: LambdaContext) -> None:
    """Close the shards of wide scans in the time that is left, once every message had its effect, a
    halt too.
    """
    scan_ids = list(dict.fromkeys(_closing))
    _closing.clear()
    if scan_ids:
        ended = wire().finish(scan_ids, seconds_left(context))
        logger.info("wide scans cancelled", extra={"scan_ids": scan_ids, "ended": ended})


handler = queue_handler(on_record, wire, after_batch)
