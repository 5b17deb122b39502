"""Do what is due: deadlines, windows that open, scans whose time to live is over, messages that were lost.

Wakes on    a tick every minute
Reads       the agenda and the scans that it names, from the scan table
Writes      the end of scans past their deadline; the removal of those whose time to live is over
Emits       ShardQueued for shards that may go on; ScanCompleted or ScanFailed after a scan's last shard
On failure  what could not be done stays on the agenda for the next tick; a call that fails is parked in WakeupDLQ
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from cascan.aws.event_bus import EventBridgeBus
from cascan.aws.report_store import S3ReportStore
from cascan.aws.scan_table import DynamoScanTable
from cascan.aws.shard_queues import SqsShardQueues
from cascan.clock import utc_now
from cascan.settings import from_env
from edge import count, logger, observed
from on_minute_passed.keep_house import House, Kept, keep_house


@dataclass(frozen=True, slots=True)
class Settings:
    scan_table: str
    scan_bus: str
    report_bucket: str
    express_shard_queue_url: str
    connect_shard_queue_url: str
    raw_shard_queue_url: str


@cache
def wire() -> Callable[[], Kept]:
    settings = from_env(Settings, os.environ)
    house = House(
        table=DynamoScanTable(settings.scan_table),
        queues=SqsShardQueues.of(
            express=settings.express_shard_queue_url,
            connect=settings.connect_shard_queue_url,
            raw=settings.raw_shard_queue_url,
        ),
        bus=EventBridgeBus(settings.scan_bus),
        reports=S3ReportStore(settings.report_bucket),
        clock=utc_now,
    )
    return lambda: keep_house(house)


@observed
def handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    kept = asdict(wire()())
    if any(kept.values()):
        logger.info("house kept", extra=kept)
    for scan_id, error in kept["failures"]:
        logger.error("left for the next tick", extra={"scan_id": scan_id, "error": error})
    count("DeedsFailed", len(kept["failures"]))
    return kept
