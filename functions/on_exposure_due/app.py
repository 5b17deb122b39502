"""Judge what looks saw by the file of expected exposure.

Wakes on    FindingsRecorded of a stack with such a file, through the exposure queue behind a rule on
            the bus (batches of 1); once a day a message of on_minute_passed
Reads       the file, the severity rules, the shard, and the history of its addresses, from the scan
            table
Writes      exposures
Sends       requests of confirmation scans, to the request queue; its own message again, where there
            is more to judge than the function may run
Emits       ExposureOpened, ExposureConfirmed, ExposureAccepted, ExposureResolved, ExposureWithdrawn,
            ExposureReopened, ExposureExpiring
On failure  the message returns to the queue; the fifth failure parks it in its DLQ
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from cascan.aws.event_bus import EventBridgeBus
from cascan.aws.sqs.request_queue import SqsRequestQueue
from cascan.aws.tables.issued_requests import DynamoIssuedRequests
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.clock import utc_now
from cascan.exposure_updates.confirm import ConfirmationGateways
from cascan.exposure_updates.work import ExposureWork
from cascan.settings import from_env
from edge import count, logger, queue_handler, seconds_left
from on_exposure_due.judge_due import DueGateways, DueOutcome, judge_due


@dataclass(frozen=True, slots=True)
class Settings:
    scan_table: str
    scan_bus: str
    request_queue_url: str
    exposure_queue_url: str


@cache
def wire() -> Callable[..., DueOutcome]:
    settings = from_env(Settings, os.environ)
    table = DynamoScanTable(settings.scan_table)
    gateways = DueGateways(
        table=table,
        bus=EventBridgeBus(settings.scan_bus),
        confirmations=ConfirmationGateways(
            table=table,
            requests=SqsRequestQueue(settings.request_queue_url),
            issued=DynamoIssuedRequests(settings.scan_table),
        ),
        queue=SqsRequestQueue(settings.exposure_queue_url, "exposure queue"),
        clock=utc_now,
    )
    return partial(judge_due, gateways=gateways)


def on_record(record: SQSRecord, lambda_context: LambdaContext) -> None:
    outcome = wire()(ExposureWork.read(record.body), left_s=seconds_left(lambda_context))
    logger.info("exposures judged", extra=asdict(outcome))
    count("ExposuresOpened", outcome.opened)
    count("ConfirmationsRequested", outcome.confirmations)


handler = queue_handler(on_record, wire)
