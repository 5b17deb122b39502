"""Request the scan of a schedule that is due, and keep its history within its limits.

Wakes on    the schedule queue (batches of 1): a schedule's time, a changed scan type,
            `cascan schedule run-now`, or the end of its scan
Reads       the schedule, its runs and their scans, from the scan table
Writes      the run and the schedule's status; removals, on the agenda; its own message, delayed
Emits       a ScanRequest; ControlRequested for scans that are replaced; ScheduleSkipped
On failure  the message returns to the queue; the fifth failure parks one in its DLQ
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache, partial

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from cascan.aws.event_bus import EventBridgeBus
from cascan.aws.sqs.request_queue import SqsRequestQueue
from cascan.aws.tables.delayed_messages import DynamoDelayedMessages
from cascan.aws.tables.issued_requests import DynamoIssuedRequests
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.aws.tables.schedule_table import DynamoScheduleTable
from cascan.clock import utc_now
from cascan.schedules.due import ScheduleDue
from cascan.settings import from_env
from edge import count, logger, queue_handler
from on_schedule_due.request_scan import RequestOutcome, ScheduleContext, request_scan


@dataclass(frozen=True, slots=True)
class Settings:
    scan_table: str
    scan_bus: str
    request_queue_url: str
    control_queue_url: str


@cache
def wire() -> Callable[[ScheduleDue], RequestOutcome]:
    settings = from_env(Settings, os.environ)
    context = ScheduleContext(
        schedules=DynamoScheduleTable(settings.scan_table),
        scans=DynamoScanTable(settings.scan_table),
        issued=DynamoIssuedRequests(settings.scan_table),
        requests=SqsRequestQueue(settings.request_queue_url),
        controls=SqsRequestQueue(settings.control_queue_url, "control queue"),
        delayed=DynamoDelayedMessages(settings.scan_table),
        bus=EventBridgeBus(settings.scan_bus),
        clock=utc_now,
    )
    return partial(request_scan, context=context)


def on_record(record: SQSRecord) -> None:
    handle = wire()
    sent_at = datetime.fromtimestamp(int(record.attributes.sent_timestamp) / 1000, UTC)
    due = ScheduleDue.from_wire(record.body, sent_at)
    if due is None:  # the end of a scan that does not belong to a schedule
        return
    outcome = handle(due)
    logger.info("schedule answered", extra=asdict(outcome))
    count("ScheduledScans", outcome.outcome == "asked")
    is_missed = due.failed or outcome.outcome == "running"  # refused or failed; or an earlier one still runs
    count("ScheduledScansMissed", is_missed and due.retry == 0)


handler = queue_handler(on_record, wire)
