"""Plan a requested scan.

Wakes on    a scan request, short form or secureCodeBox manifest, through the request queue (batches of 10)
Reads       nothing but the message
Writes      the scan and its shards, its plan to the report bucket; or the scan as Errored, with why it was refused
Emits       ShardQueued for each shard, to the queue of its lane; ScanPlanned, or ScanFailed for a refusal
On failure  only the failed messages return to the queue; the fifth failure parks one in its DLQ; a refusal is none
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial
from typing import Literal

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from cascan.aws.closing import ClosingSettings, closing_gateways
from cascan.aws.report_store import S3ReportStore
from cascan.pace import HouseRules
from cascan.permit import Permit
from cascan.policy import PolicyProfile
from cascan.settings import from_env
from edge import count, logger, queue_handler
from on_scan_requested.plan_scan import Planned, plan_scan


@dataclass(frozen=True, slots=True)
class Settings(ClosingSettings):
    report_bucket: str
    allowed_targets: tuple[str, ...]
    denied_targets: tuple[str, ...]
    policy_profile: PolicyProfile
    express_reaches: Literal["private", "public"]  # private: its Lambda runs in the operator's subnets
    raw_scans: Literal["enabled", "disabled"]
    shards_per_scan: int
    default_backoff_limit: int
    default_ttl_seconds: int  # -1: what is found is kept
    worker_egress: tuple[str, ...]  # networks that the small VPC lets out; empty: the operator's own subnets


@cache
def wire() -> Callable[[str, str], Planned]:
    settings = from_env(Settings, os.environ)
    return partial(
        plan_scan,
        **closing_gateways(settings),
        reports=S3ReportStore(settings.report_bucket),
        permit=Permit.of(settings, express_reaches_private=settings.express_reaches == "private"),
        rules=HouseRules(settings.shards_per_scan, settings.default_backoff_limit, settings.default_ttl_seconds),
    )


def on_record(record: SQSRecord) -> None:
    outcome = wire()(record.message_id, record.body)
    if outcome.refused:
        logger.warning("scan refused", extra=asdict(outcome))
        count("ScansRefused")
    else:
        logger.info("scan planned", extra=asdict(outcome))
        count("ScansPlanned")


handler = queue_handler(on_record, wire)
