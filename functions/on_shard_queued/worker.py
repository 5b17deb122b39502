"""Drain a shard queue: the process of a Fargate task.

Wakes on    its start; then polls ShardQueued from the queue of its lane
Reads       the shard, from the scan table
Writes      the shard's state and what nmap did; nmap's XML, to the report bucket
Sends       ShardReturned, for a shard that it does not run to its end
Emits       nothing: the report's arrival in the bucket is the event
On failure  on_shard_abandoned queues the shard again, or gives it up; it parks a message that no
            retry can help. On SIGTERM nmap is stopped, its finished hosts are kept, the others are
            returned at once, and the worker ends.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from cascan.aws.s3.report_store import S3ReportStore
from cascan.aws.sqs.returned_shards import SqsReturnedShards
from cascan.aws.sqs.shard_source import SqsShardSource
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.aws.trace_segments import put_segment
from cascan.clock import utc_now
from cascan.errors import GatewayUnavailable
from cascan.log_context import read_log_context
from cascan.model.shard import Lane
from cascan.model.usage import CAPACITY_VARIABLE, Capacity
from cascan.nmap.options.raw_sockets import find_raw_socket_problem
from cascan.permissions.scope import Scope
from cascan.settings import from_env
from cascan.traces import build_segment
from edge import UNITS
from edge.logs import build_logger, format_libraries
from on_shard_queued.delivery import Worker
from on_shard_queued.drain import Drain
from on_shard_queued.resolver import DnsResolver
from on_shard_queued.slots import start_other_slots

SERVICE = "worker"
PROCESS_STATUS = Path("/proc/self/status")
logger = build_logger(SERVICE)  # drain.py and heartbeat.py log through it, by its name


@dataclass(frozen=True, slots=True)
class Settings:
    lane: Lane
    shard_queue_url: str
    returned_shard_queue_url: str
    scan_table: str
    report_bucket: str
    allowed_targets: tuple[str, ...]
    denied_targets: tuple[str, ...]
    nmap_command: str
    idle_exit_s: int
    shard_timeout_s: int
    worker_slots: int


class WorkerTelemetry:
    """Metrics as lines of the log, in CloudWatch's embedded format; traces, where the task runs on ECS."""

    def __init__(self, lane: Lane, environment: Mapping[str, str]) -> None:
        self._metrics = EphemeralMetrics(namespace="cascan", service=SERVICE)
        stack = {"stack": environment["METRICS_STACK"]} if environment.get("METRICS_STACK") else {}
        self._metrics.set_default_dimensions(lane=lane.value, **stack)
        self._is_tracing = "ECS_CONTAINER_METADATA_URI_V4" in environment

    def count(self, figures: Mapping[str, float]) -> None:
        for name, number in figures.items():
            self._metrics.add_metric(name, UNITS.get(name, MetricUnit.Count), number)
        for name, value in read_log_context().items():
            self._metrics.add_metadata(name, value)
        self._metrics.flush_metrics()

    def trace(self, started_at: float, *, failed: bool) -> None:
        times = {"started_at": started_at, "ended_at": time.time()}
        segment = build_segment(SERVICE, read_log_context(), failed=failed, **times)
        if not segment or not self._is_tracing:
            return
        try:
            put_segment(segment)
        except GatewayUnavailable as exc:
            # Without a route to X-Ray every attempt would wait for it
            self._is_tracing = False
            logger.warning("this worker sends no more traces", extra={"reason": str(exc)})


def describe_process() -> dict[str, object]:
    """The user and the capabilities of this process, as the kernel writes them; `cascan doctor --live` reads it."""
    fields = dict(line.split(":\t", 1) for line in PROCESS_STATUS.read_text().splitlines() if ":\t" in line)
    return {
        "uid": os.getuid(),
        "capabilities_effective": fields.get("CapEff", ""),
        "capabilities_bounding": fields.get("CapBnd", ""),
        "no_new_privileges": fields.get("NoNewPrivs", ""),
    }


def find_capacity(environment: Mapping[str, str]) -> Capacity:
    """What the task is paid as. The launch says it; without it, the dearer one."""
    is_spot = environment.get(CAPACITY_VARIABLE) == Capacity.SPOT
    return Capacity.SPOT if is_spot else Capacity.ON_DEMAND


def main() -> int:
    settings = from_env(Settings, os.environ)
    # First: the copies must not inherit open connections
    slots = start_other_slots(settings.worker_slots)
    worker = Worker(
        name=f"{settings.lane}/{os.environ.get('HOSTNAME', 'here')}/{os.getpid()}",
        nmap=tuple(settings.nmap_command.split()),
        table=DynamoScanTable(settings.scan_table),
        reports=S3ReportStore(settings.report_bucket),
        returns=SqsReturnedShards(settings.returned_shard_queue_url),
        scope=Scope.of(settings.allowed_targets, settings.denied_targets),
        resolver=DnsResolver(),
        clock=utc_now,
        telemetry=WorkerTelemetry(settings.lane, os.environ),
        capacity=find_capacity(os.environ),
    )
    logger.info("worker starts", extra=describe_process())
    if settings.lane == Lane.RAW and (why := find_raw_socket_problem(worker.nmap[0])):
        logger.error("raw sockets are not available: every shard will fail", extra={"reason": why})
    drain = Drain(
        SqsShardSource(settings.shard_queue_url),
        worker,
        settings.idle_exit_s,
        settings.shard_timeout_s,
    )

    def stop(signum: int, frame: FrameType | None) -> None:
        drain.stop(signum, frame)
        slots.pass_on(signum)

    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, stop)
    try:
        drain.run()
    finally:
        code = slots.wait()
    logger.info("worker ends", extra={"why": drain.stopping or "idle"})
    return code


def run_process() -> int:
    """main(), with every line of the process as JSON, also of a library or a crash."""
    format_libraries(logger)
    try:
        return main()
    except Exception:
        logger.exception("the worker ends with an error")
        return 1


if __name__ == "__main__":
    sys.exit(run_process())
