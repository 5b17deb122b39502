"""Follow a completed scan up with the next ones, and publish its results.

Wakes on    ScanCompleted, through the completion queue behind a rule on the bus (batches of 1)
Reads       the scan's findings and shards and the cascading rules, from the scan table; its reports, from the bucket
Writes      the scan's children; results/<scan id>/findings.json and nmap.xml, to the report bucket; the scan is Done
Emits       scan requests, to the request queue; CascadeRequested, CascadeCapped, CascadeRefused
On failure  the message returns to the queue; the fifth failure parks it in its DLQ
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial
from typing import Literal

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from cascan.aws.cascade_table import DynamoCascadeTable
from cascan.aws.event_bus import EventBridgeBus
from cascan.aws.report_store import S3ReportStore
from cascan.aws.request_queue import SqsRequestQueue
from cascan.aws.rule_table import DynamoRuleTable
from cascan.aws.scan_table import DynamoScanTable
from cascan.cascades.bundled import bundled_documents
from cascan.cascades.caps import MICRO, Caps
from cascan.clock import utc_now
from cascan.events import ScanCompleted, event_in
from cascan.policy import PolicyProfile
from cascan.reach import Reach
from cascan.scope import Scope
from cascan.settings import from_env
from edge import count, logger, queue_handler
from on_scan_completed.follow_up import Followed, Follower
from on_scan_completed.publish import Published, publish


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
    worker_egress: tuple[str, ...]  # empty: the network is the operator's
    cascading_rules: Literal["enabled", "disabled"]  # the bundled ones
    cascade_max_scans: int  # these three: below one root scan
    cascade_max_probes: int
    cascade_max_cost_usd: int


@cache
def wire() -> tuple[Callable[[ScanCompleted], Followed], Callable[[ScanCompleted], Published]]:
    settings = from_env(Settings, os.environ)
    table = DynamoScanTable(settings.scan_table)
    follower = Follower(
        table=table,
        cascades=DynamoCascadeTable(settings.scan_table),
        rules=DynamoRuleTable(settings.scan_table),
        requests=SqsRequestQueue(settings.request_queue_url),
        bus=EventBridgeBus(settings.scan_bus),
        scope=Scope.of(settings.allowed_targets, settings.denied_targets),
        clock=utc_now,
        policy=settings.policy_profile,
        raw_scans=settings.raw_scans == "enabled",
        reach=Reach.of(settings.worker_egress),
        caps=Caps(
            scans=settings.cascade_max_scans,
            probes=settings.cascade_max_probes,
            cost_micro_usd=settings.cascade_max_cost_usd * MICRO,
        ),
        bundled=bundled_documents if settings.cascading_rules == "enabled" else dict,
    )
    return follower.follow_up, partial(publish, table=table, reports=S3ReportStore(settings.report_bucket))


def on_record(record: SQSRecord) -> None:
    follow_up, publish_results = wire()
    event = event_in(record.body, ScanCompleted)
    followed = follow_up(event)
    if followed.requested or followed.lines:
        logger.info("scan followed up", extra=asdict(followed))
        count("ChildrenRequested", followed.requested)
    logger.info("results published", extra=asdict(publish_results(event)))
    count("ScansPublished")


handler = queue_handler(on_record, wire)
