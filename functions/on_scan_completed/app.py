"""Follow a completed scan up with the next ones, and publish its results.

Wakes on    ScanCompleted, ScanFailed, ScanCancelled, through the completion queue behind a rule on the
            bus (batches of 1)
Reads       the scan's findings and shards, the scan before it in its series, exposures and the cascading rules,
            from the scan table; its reports, from the bucket
Writes      the scan's children; results/<scan id>/findings.json and nmap.xml, to the report bucket; the scan is Done.
            results/<scan id>/report.html afterwards; how every scan ended, to the report bucket
Emits       scan requests, to the request queue; CascadeRequested, CascadeCapped, CascadeRefused
On failure  the message returns to the queue; the fifth failure parks it in its DLQ
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Literal

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from cascan.aws.s3.report_store import S3ReportStore
from cascan.aws.tables.cascade_table import DynamoCascadeTable
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.clock import utc_now
from cascan.events import ScanCompleted, parse_end_event
from cascan.log_context import add_log_context
from cascan.model.policy_profile import PolicyProfile
from cascan.model.scan import ScanState
from cascan.model.worker_network import WorkerNetwork
from cascan.settings import from_env
from edge import count, logger, queue_handler
from on_scan_completed.publish import PublishedResults, publish, publish_html, record_end

if TYPE_CHECKING:
    from on_scan_completed.follow_up import FollowUpSummary


@dataclass(frozen=True, slots=True)
class Settings:
    scan_table: str
    report_bucket: str
    scan_bus: str
    request_queue_url: str
    allowed_targets: tuple[str, ...]
    denied_targets: tuple[str, ...]
    policy_profile: PolicyProfile
    raw_scans: Literal["enabled", "disabled"]
    worker_egress: tuple[str, ...]  # networks that the small VPC lets out
    worker_network: WorkerNetwork
    worker_ipv6: Literal["enabled", "disabled"]  # whether the operator's own subnets have IPv6
    cascading_rules: Literal["enabled", "disabled"]  # the bundled ones
    cascade_max_scans: int  # these three: below one root scan
    cascade_max_probes: int
    cascade_max_cost_usd: int
    worker_cpu: int  # these three: the size of a worker decides on cost
    worker_memory: int
    worker_storage: int


@cache
def wire() -> tuple[Callable[[ScanCompleted], PublishedResults], Callable[[str], ScanState]]:
    settings = from_env(Settings, os.environ)
    table, reports = DynamoScanTable(settings.scan_table), S3ReportStore(settings.report_bucket)
    return partial(publish, table=table, reports=reports), partial(record_end, table=table, reports=reports)


@cache
def wire_html() -> Callable[[str], bool]:
    settings = from_env(Settings, os.environ)
    return partial(
        publish_html,
        table=DynamoScanTable(settings.scan_table),
        cascades=DynamoCascadeTable(settings.scan_table),
        reports=S3ReportStore(settings.report_bucket),
        clock=utc_now,
    )


@cache
def wire_runner() -> Callable[[ScanCompleted], FollowUpSummary]:
    """Called for the first scan with cascades, since this imports the planner and nmap's tables."""
    from on_scan_completed.wiring import build_runner  # noqa: PLC0415 - see above

    return build_runner(from_env(Settings, os.environ)).follow_up


def on_record(record: SQSRecord) -> None:
    publish_results, record_scan_end = wire()
    event = parse_end_event(record.body)
    add_log_context(scan_id=event.scan_id)
    if not isinstance(event, ScanCompleted):  # it has no results, and nothing follows it
        state = record_scan_end(event.scan_id)
        logger.info("end kept", extra={"scan_id": event.scan_id, "scan_state": state})
        return
    if event.cascades:
        summary = wire_runner()(event)
        logger.info("scan followed up", extra=asdict(summary))
        count("ChildrenRequested", summary.requested)
        count("CascadesCapped", bool(summary.lines.get("capped")))
    logger.info("results published", extra=asdict(publish_results(event)))
    if not wire_html()(event.scan_id):
        logger.info("no HTML report stored: cascan report makes it")
    count("ScansPublished")


handler = queue_handler(on_record, wire)
