"""Ask for the scans of Vuls' results that were put into the bucket, and answer them.

Wakes on    Object Created under vuls/results/, and the ends of the scans that were asked for, through the
            queue of Vuls' results (batches of 1)
Reads       the results and their config.toml, from the bucket; the scans and their shards, from the scan
            table; their reports, from the bucket
Writes      vuls/asked/, vuls/summaries/ and vuls/answers/, to the bucket
Emits       a ScanRequest for each family of addresses
On failure  the message returns to the queue; the fifth failure parks one in its DLQ. Results that cannot
            be used are no failure: their summary has the reasons
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from cascan.aws.s3.operator_records import S3OperatorRecords
from cascan.aws.s3.report_store import S3ReportStore
from cascan.aws.sqs.request_queue import SqsRequestQueue
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.clock import utc_now
from cascan.events.envelopes import VulsResultsStored, parse_vuls_message
from cascan.log_context import add_log_context
from cascan.permissions.scope import Scope
from cascan.settings import from_env
from edge import count, logger, queue_handler
from on_vuls_results_stored.answer_results import PREFIX, VulsContext
from on_vuls_results_stored.vuls_records import VulsRecords


@dataclass(frozen=True, slots=True)
class Settings:
    scan_table: str
    report_bucket: str
    request_queue_url: str
    allowed_targets: tuple[str, ...]
    denied_targets: tuple[str, ...]


@cache
def wire() -> VulsContext:
    settings = from_env(Settings, os.environ)
    return VulsContext(
        records=VulsRecords(S3OperatorRecords(settings.report_bucket, PREFIX)),
        requests=SqsRequestQueue(settings.request_queue_url),
        table=DynamoScanTable(settings.scan_table),
        reports=S3ReportStore(settings.report_bucket),
        find_refusal=Scope.of(settings.allowed_targets, settings.denied_targets).find_address_refusal,
        clock=utc_now,
    )


def on_record(record: SQSRecord) -> None:
    context, message = wire(), parse_vuls_message(record.body)
    if isinstance(message, VulsResultsStored):
        state = context.request_scans(message)
        logger.info("results read", extra={"key": message.key, "results_state": state})
        count("VulsResultsRefused", state == "refused")
        return
    add_log_context(scan_id=message.scan_id)
    state = context.note_end(message)
    logger.info("end of a scan for results", extra={"scan_id": message.scan_id, "results_state": state})
    count("VulsResultsAnswered", state == "done")


handler = queue_handler(on_record, wire)
