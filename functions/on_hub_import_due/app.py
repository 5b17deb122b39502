"""Import the findings of an ended scan into AWS Security Hub, and archive there what is gone.

Wakes on    ScanCompleted and ScanCancelled, through the import queue behind a rule on the bus
            (batches of 1)
Reads       the scan, its shards and its findings, the inventory, the exposures, and what was sent
            before, from the scan table
Writes      what was sent, to the scan table; findings, to AWS Security Hub
Sends       its own message again, where there is more to import than the function may run
On failure  the message returns to the queue; the fifth failure parks it in its DLQ. Findings that
            Security Hub refuses are named by a parked message, which imports the scan again
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from cascan.aws.security_hub import SecurityHub
from cascan.aws.sqs.park_message import park_message
from cascan.aws.sqs.request_queue import SqsRequestQueue
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.aws.tables.sent_findings import DynamoSentFindings
from cascan.clock import utc_now
from cascan.formats.hub_product import read_product_of
from cascan.gateways import RefusedFinding
from cascan.limits import MAX_REFUSED_LISTED
from cascan.model.finding import Severity
from cascan.settings import from_env
from edge import count, logger, queue_handler, seconds_left
from on_hub_import_due.import_scan import ImportGateways, ImportOutcome, ImportSettings, import_scan
from on_hub_import_due.work import HubImportWork


@dataclass(frozen=True, slots=True)
class Settings:
    scan_table: str
    import_queue_url: str
    import_dlq_url: str
    hub_product_arn: str
    minimum_severity: Severity


@cache
def read_settings() -> Settings:
    return from_env(Settings, os.environ)


@cache
def wire() -> Callable[..., ImportOutcome]:
    settings = read_settings()
    gateways = ImportGateways(
        table=DynamoScanTable(settings.scan_table),
        sent=DynamoSentFindings(settings.scan_table),
        hub=SecurityHub(),
        queue=SqsRequestQueue(settings.import_queue_url, "import queue"),
        clock=utc_now,
    )
    import_settings = ImportSettings(read_product_of(settings.hub_product_arn), settings.minimum_severity)
    return partial(import_scan, gateways=gateways, settings=import_settings)


def on_record(record: SQSRecord, lambda_context: LambdaContext) -> None:
    import_ended_scan = wire()
    work = HubImportWork.read(record.body)
    outcome = import_ended_scan(work, left_s=seconds_left(lambda_context))
    counts = {"active": outcome.active, "archived": outcome.archived, "left_out": outcome.left_out}
    logger.info("findings imported", extra={**counts, "is_continued": outcome.is_continued})
    count("FindingsImported", outcome.active + outcome.archived)
    if outcome.refused:
        _park_refused(work, outcome.refused)


def _park_refused(work: HubImportWork, refused: list[RefusedFinding]) -> None:
    """Park a message that imports the scan again, with Security Hub's reasons."""
    listed = [f"{failure.finding_id}: {failure.code}, {failure.message}" for failure in refused[:MAX_REFUSED_LISTED]]
    reason = f"Security Hub refused {len(refused)} findings: {'; '.join(listed)}"
    logger.error("findings refused", extra={"reason": reason})
    count("FindingsRefused", len(refused))
    again = HubImportWork(scan_id=work.scan_id, cause_id=work.cause_id, hop=work.hop)
    park_message(read_settings().import_dlq_url, again.to_wire(), reason)


handler = queue_handler(on_record, wire)
