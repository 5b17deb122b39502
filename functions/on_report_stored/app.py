"""Record the findings of a stored nmap report.

Wakes on    Object Created under reports/, through the reports queue (batches of 10)
Reads       the report, from the report bucket; its shard, and what is known of its hosts, from the scan table
Writes      findings, keyed by ids derived from the report; inventory and changes; the shard's end, and the scan's end
Emits       HostAppeared, HostGone, PortOpened, PortClosed, ServiceChanged; FindingsRecorded, HostQuarantined;
            ShardQueued for shards that waited; ScanCompleted or ScanFailed after the last shard
On failure  only the failed messages return to the queue; the fifth failure parks one in its DLQ
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from cascan.aws.closing import ClosingSettings, closing_gateways
from cascan.aws.report_store import S3ReportStore
from cascan.events import ReportStored
from cascan.scope import Scope
from cascan.settings import from_env
from edge import count, logger, queue_handler
from on_report_stored.record_findings import Recorded, record_findings


@dataclass(frozen=True, slots=True)
class Settings(ClosingSettings):
    report_bucket: str
    denied_targets: tuple[str, ...]
    allowed_targets: tuple[str, ...]


@cache
def wire() -> Callable[[ReportStored], Recorded]:
    settings = from_env(Settings, os.environ)
    return partial(
        record_findings,
        scope=Scope.of(settings.allowed_targets, settings.denied_targets),
        reports=S3ReportStore(settings.report_bucket),
        **closing_gateways(settings),
    )


def on_record(record: SQSRecord) -> None:
    outcome = wire()(ReportStored.from_wire(record.body))
    logger.info("findings recorded", extra=asdict(outcome))
    count("FindingsRecorded", outcome.findings)
    if outcome.quarantined:
        logger.error("hosts quarantined", extra=asdict(outcome))
    count("HostsQuarantined", outcome.quarantined)


handler = queue_handler(on_record, wire)
