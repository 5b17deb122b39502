"""Start workers for shards that wait in a queue.

Wakes on    ScanPlanned and ScanResumed on the bus, a stopped worker (ECS Task State Change), a
            tick every minute
Reads       the numbers of waiting shards and running workers, from the queues and the cluster;
            the halt switch
Writes      nothing
Emits       nothing; starts tasks
On failure  the event is parked in WakeupDLQ; the next tick starts the missing workers
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial
from typing import Any, Literal

from aws_lambda_powertools.utilities.typing import LambdaContext

from cascan.aws.fleet import EcsFleet
from cascan.aws.sqs.shard_queues import SqsShardQueues
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.events import WorkersWanted
from cascan.model.shard import Lane
from cascan.settings import from_env
from edge import count, instrument, logger
from on_shards_waiting.launch_workers import LaneStaffing, launch_workers


@dataclass(frozen=True, slots=True)
class Settings:
    scan_table: str
    connect_shard_queue_url: str
    raw_shard_queue_url: str
    cluster: str
    connect_task: str
    raw_task: str
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    public_ip: Literal["ENABLED", "DISABLED"]
    spot: Literal["enabled", "disabled"]
    max_workers: int
    shards_per_worker: int
    worker_slots: int


@cache
def wire() -> Callable[[WorkersWanted], tuple[LaneStaffing, ...]]:
    settings = from_env(Settings, os.environ)
    return partial(
        launch_workers,
        stack_switch=DynamoScanTable(settings.scan_table),
        queues=SqsShardQueues(
            {
                Lane.CONNECT: settings.connect_shard_queue_url,
                Lane.RAW: settings.raw_shard_queue_url,
            }
        ),
        fleet=EcsFleet(
            cluster=settings.cluster,
            task_definitions={Lane.CONNECT: settings.connect_task, Lane.RAW: settings.raw_task},
            subnets=settings.subnets,
            security_groups=settings.security_groups,
            assign_public_ip=settings.public_ip == "ENABLED",
            spot_first=settings.spot == "enabled",
        ),
        max_workers=settings.max_workers,
        shards_per_worker=settings.shards_per_worker,
        worker_slots=settings.worker_slots,
    )


@instrument
def handler(event: dict[str, Any], _context: LambdaContext) -> list[dict[str, Any]]:
    count("Wakeups")
    wakeup = WorkersWanted.from_wire(event)
    if wakeup.failed_at_once:
        logger.error("a worker failed at once", extra={"stopped_reason": wakeup.stopped_reason})
    count("WorkersFailedAtOnce", wakeup.failed_at_once)
    staffing = [asdict(lane) for lane in wire()(wakeup)]
    logger.info("workers counted", extra={"lanes": staffing})
    count("WorkersLaunched", sum(lane["launched"] for lane in staffing))
    count("LaunchesShort", sum(bool(lane["not_started"]) for lane in staffing))
    return staffing
