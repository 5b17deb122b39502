"""Plan a requested scan.

Wakes on    a scan request, short form or secureCodeBox manifest, through the request queue (batches of 1); and one that
            its queue gave up, through the DLQ
Reads       the message, and whether cascan itself issued it
Writes      the scan and its shards, its plan to the report bucket; or the scan as Errored, with why it was refused
Emits       ShardQueued for each shard, to the queue of its lane; ScanPlanned, or ScanFailed for a refusal
On failure  the message returns to its queue; after the fifth failure the DLQ hands it back, to be stored as refused;
            what even that cannot store is parked in ParkedRequests. A refusal is no failure
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial
from typing import Literal, NamedTuple

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from cascan.aws.s3.report_store import S3ReportStore
from cascan.aws.tables.issued_requests import DynamoIssuedRequests
from cascan.aws.wiring import ScanSettings, scan_gateways
from cascan.model.policy_profile import PolicyProfile
from cascan.model.worker_network import WorkerNetwork
from cascan.permissions.permissions import Permissions
from cascan.planning.rates import ScanDefaults
from cascan.settings import from_env
from edge import count, logger, queue_handler
from on_scan_requested.message import Message
from on_scan_requested.plan_scan import plan_scan
from on_scan_requested.store_refusal import PlanningResult


@dataclass(frozen=True, slots=True)
class Settings(ScanSettings):
    report_bucket: str
    request_dlq_arn: str
    allowed_targets: tuple[str, ...]
    denied_targets: tuple[str, ...]
    policy_profile: PolicyProfile
    express_reaches: Literal["private", "public"]  # private: its Lambda runs in the operator's subnets
    raw_scans: Literal["enabled", "disabled"]
    shards_per_scan: int
    default_backoff_limit: int
    default_ttl_seconds: int  # -1: what is found is kept
    worker_egress: tuple[str, ...]  # networks that the small VPC lets out
    worker_network: WorkerNetwork
    worker_ipv6: Literal["enabled", "disabled"]  # whether the operator's own subnets have IPv6


class Planner(NamedTuple):
    plan: Callable[..., PlanningResult]
    request_dlq_arn: str


@cache
def wire() -> Planner:
    settings = from_env(Settings, os.environ)
    plan = partial(
        plan_scan,
        gateways=scan_gateways(settings),
        issued=DynamoIssuedRequests(settings.scan_table),
        reports=S3ReportStore(settings.report_bucket),
        permissions=Permissions.of(settings, express_reaches_private=settings.express_reaches == "private"),
        defaults=ScanDefaults(settings.shards_per_scan, settings.default_backoff_limit, settings.default_ttl_seconds),
    )
    return Planner(plan, settings.request_dlq_arn)


def on_record(record: SQSRecord) -> None:
    planner = wire()
    message = Message(record.message_id, record.body, record.attributes.sender_id or "")
    outcome = planner.plan(message, is_last_delivery=record.event_source_arn == planner.request_dlq_arn)
    if outcome.refused:
        logger.warning("scan refused", extra=asdict(outcome))
        count("ScansRefused")
    else:
        logger.info("scan planned", extra=asdict(outcome))
        count("ScansPlanned")


handler = queue_handler(on_record, wire)
