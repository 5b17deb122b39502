"""Record the findings of a stored nmap report.

Wakes on    Object Created under reports/, through the reports queue (batches of 1)
Reads       the report, from the report bucket; its shard and the records of its hosts, from the
            scan table
Writes      findings, keyed by host and report; inventory and changes; the shard's end,
            and the scan's end
Sends       the report's message again, where recording takes longer than the function may run
Emits       HostAppeared, HostGone, HostMoved, PortOpened, PortClosed, ServiceChanged;
            FindingsRecorded, HostQuarantined; ShardQueued for shards that waited; ScanCompleted or ScanFailed after
            the last shard
On failure  the message returns to the queue; the fifth failure parks one in its DLQ
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from cascan.aws.s3.report_store import S3ReportStore
from cascan.aws.sqs.request_queue import SqsRequestQueue
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.aws.wiring import ScanSettings, scan_gateways
from cascan.events import ReportStored
from cascan.gateways import RequestQueue
from cascan.permissions.scope import Scope
from cascan.settings import from_env
from edge import count, logger, queue_handler
from on_report_stored.checkpoints import MIN_TURN_S
from on_report_stored.record_findings import RecordingOutcome, record_findings


@dataclass(frozen=True, slots=True)
class Settings(ScanSettings):
    report_bucket: str
    report_queue_url: str
    denied_targets: tuple[str, ...]
    allowed_targets: tuple[str, ...]
    history_retention_days: int  # of changes and looks; 0: no period of their own


@dataclass(frozen=True, slots=True)
class Recorder:
    record: Callable[..., RecordingOutcome]
    queue: RequestQueue  # where the message of a report goes that is to be continued


@cache
def wire() -> Recorder:
    settings = from_env(Settings, os.environ)
    table = DynamoScanTable(settings.scan_table, history_days=settings.history_retention_days)
    record = partial(
        record_findings,
        gateways=scan_gateways(settings, table),
        scope=Scope.of(settings.allowed_targets, settings.denied_targets),
        reports=S3ReportStore(settings.report_bucket),
        results=table,
        # The daily check is stored with the file, and is a much smaller item
        has_expectations=lambda: table.exposure_day() is not None,
    )
    return Recorder(record, SqsRequestQueue(settings.report_queue_url, "report queue"))


def on_record(record: SQSRecord, lambda_context: LambdaContext) -> None:
    def left_s() -> float:
        return lambda_context.get_remaining_time_in_millis() / 1000

    recorder, stored = wire(), ReportStored.from_wire(record.body)
    if left_s() < MIN_TURN_S:  # other messages of the batch took the time
        recorder.queue.send(record.body)
        logger.info("report put off", extra={"key": stored.key, "scan_id": stored.report.scan_id})
        return
    outcome = recorder.record(stored, left_s=left_s)
    logger.info("findings recorded", extra=asdict(outcome))
    if outcome.after_s is not None:
        recorder.queue.send(record.body, delay_s=outcome.after_s)
        count("ReportTurns")
        return
    count("FindingsRecorded", outcome.findings)
    if outcome.quarantined:
        logger.error("hosts quarantined", extra=asdict(outcome))
    count("HostsQuarantined", outcome.quarantined)


handler = queue_handler(on_record, wire)
