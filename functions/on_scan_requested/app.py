"""Plan a requested scan.

Wakes on    a scan request, short form or secureCodeBox manifest, from the request queue (batches of 1);
            and a request that its queue gave up on, from the DLQ
Reads       the message, and whether cascan itself issued it
Writes      the scan and its shards, and its plan to the report bucket; or a refused scan, as Errored
Emits       ShardQueued for each shard, to its lane's queue; ScanPlanned, or ScanFailed for a refusal
On failure  the message returns to its queue. After the fifth failure it arrives from the DLQ and is
            stored as refused; if that fails too, it is parked in ParkedRequests.
            A refusal is not a failure
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
from cascan.cost.budget import CostLimit
from cascan.cost.stack_shape import StackShape
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
    express_reaches: Literal["private", "public"]  # private: in the operator's subnets
    raw_scans: Literal["enabled", "disabled"]
    shards_per_scan: int
    default_backoff_limit: int
    default_ttl_seconds: int  # -1: scans are kept
    max_scan_cost_usd: float  # 0: a scan may cost anything
    worker_cpu: int  # 1024 is one vCPU
    worker_memory: int  # MiB
    worker_storage: int  # GiB
    worker_egress: tuple[str, ...]  # networks that the small VPC lets out
    worker_network: WorkerNetwork
    worker_ipv6: Literal["enabled", "disabled"]  # whether the operator's own subnets have IPv6


class Planner(NamedTuple):
    plan: Callable[..., PlanningResult]
    request_dlq_arn: str


@cache
def wire() -> Planner:
    settings = from_env(Settings, os.environ)
    shape = StackShape.of_worker(settings.worker_cpu, settings.worker_memory, settings.worker_storage)
    express_reaches_private = settings.express_reaches == "private"
    plan = partial(
        plan_scan,
        gateways=scan_gateways(settings),
        issued=DynamoIssuedRequests(settings.scan_table),
        reports=S3ReportStore(settings.report_bucket),
        permissions=Permissions.of(settings, express_reaches_private=express_reaches_private),
        defaults=ScanDefaults(
            shards_per_scan=settings.shards_per_scan,
            backoff_limit=settings.default_backoff_limit,
            ttl_s=settings.default_ttl_seconds,
        ),
        cost_limit=CostLimit(max_scan_usd=settings.max_scan_cost_usd, shape=shape),
    )
    return Planner(plan, settings.request_dlq_arn)


def on_record(record: SQSRecord) -> None:
    planner = wire()
    message = Message(record.message_id, record.body, record.attributes.sender_id or "")
    is_from_dlq = record.event_source_arn == planner.request_dlq_arn
    result = planner.plan(message, is_last_delivery=is_from_dlq)
    if result.refused:
        logger.warning("scan refused", extra=asdict(result))
        count("ScansRefused")
    else:
        logger.info("scan planned", extra=asdict(result))
        count("ScansPlanned")


handler = queue_handler(on_record, wire)
