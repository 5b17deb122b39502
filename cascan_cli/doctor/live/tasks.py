"""The Fargate tasks of raw workers: what ECS and their log say about them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cascan.cost.bill import SECONDS_PER_HOUR
from cascan_cli.doctor.live.lines import Finding, failed, not_tried, passed

if TYPE_CHECKING:
    from cascan.cost.prices import Prices
    from cascan.cost.stack_shape import StackShape

STARTED_BY = "cascan/raw"
DESCRIBED_AT_ONCE = 100  # the most that DescribeTasks takes
MAX_LOG_EVENTS = 100  # the worker says who it is in its first lines
MAX_START_S = 180.0  # from the call to a running worker: image, network interface, start
WORKER_USER = 1001
CAP_NET_RAW = 1 << 13  # linux/capability.h
ALLOWED_CAPABILITIES = CAP_NET_RAW
CONTAINER = "worker"


@dataclass(frozen=True, slots=True)
class WorkerTask:
    """A task as ECS describes it; also of one that has ended, for about an hour."""

    arn: str
    definition: str
    provider: str
    created_at: datetime
    pull_started_at: datetime | None
    pull_stopped_at: datetime | None
    started_at: datetime | None
    stopped_at: datetime | None

    @property
    def task_id(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def is_running(self) -> bool:
        return self.started_at is not None and self.stopped_at is None


def list_raw_tasks(ecs: Any, cluster: str, since: datetime) -> list[WorkerTask]:
    """The raw workers that were created since then, oldest first."""
    arns: list[str] = []
    for status in ("RUNNING", "STOPPED"):
        pages = ecs.get_paginator("list_tasks").paginate(cluster=cluster, startedBy=STARTED_BY, desiredStatus=status)
        arns += [arn for page in pages for arn in page["taskArns"]]
    described: list[Mapping[str, Any]] = []
    for start in range(0, len(arns), DESCRIBED_AT_ONCE):
        described += ecs.describe_tasks(cluster=cluster, tasks=arns[start : start + DESCRIBED_AT_ONCE])["tasks"]
    tasks = [_read_task(task) for task in described if task.get("createdAt") and task["createdAt"] >= since]
    return sorted(tasks, key=lambda task: task.created_at)


def _read_task(task: Mapping[str, Any]) -> WorkerTask:
    return WorkerTask(
        arn=task["taskArn"],
        definition=task["taskDefinitionArn"],
        provider=task.get("capacityProviderName", ""),
        created_at=task["createdAt"],
        pull_started_at=task.get("pullStartedAt"),
        pull_stopped_at=task.get("pullStoppedAt"),
        started_at=task.get("startedAt"),
        stopped_at=task.get("stoppedAt"),
    )


def check_start(tasks: Sequence[WorkerTask]) -> Finding:
    """How long the slowest worker took to start."""
    started = [task for task in tasks if task.started_at]
    if not started:
        return not_tried("no worker was started in this run: one that ran already took the scan")
    starts = [(task.started_at - task.created_at).total_seconds() for task in started if task.started_at]
    pulls = [
        (task.pull_stopped_at - task.pull_started_at).total_seconds()
        for task in started
        if task.pull_started_at and task.pull_stopped_at
    ]
    pulled = f", of which {max(pulls):.0f} s for the image" if pulls else ""
    sentence = f"{len(started)} started, the slowest in {max(starts):.0f} s{pulled}"
    return passed(sentence) if max(starts) <= MAX_START_S else failed(f"{sentence}; {MAX_START_S:.0f} s are expected")


def check_identity(ecs: Any, logs: Any, tasks: Sequence[WorkerTask]) -> Finding:
    """The user and the capabilities that a worker has seen inside its container."""
    if not tasks:
        return not_tried("no worker was started in this run")
    for task in tasks:
        identity = _read_identity(ecs, logs, task)
        if identity:
            return judge_identity(identity)
    return not_tried("the log of no worker has its line 'worker starts': an earlier version, or the log is late")


def judge_identity(identity: Mapping[str, Any]) -> Finding:
    """`identity`: the line of the log in which a worker says who it is."""
    user, bounding = identity.get("uid"), str(identity.get("capabilities_bounding", ""))
    try:
        capabilities = int(bounding, 16)
    except ValueError:
        return not_tried("the worker could not read its capabilities")
    sentence = f"user {user}, capabilities that it may have {capabilities:#x}"
    if user != WORKER_USER:
        return failed(f"{sentence}: the user should be {WORKER_USER}")
    if not capabilities & CAP_NET_RAW:
        return failed(f"{sentence}: CAP_NET_RAW ({CAP_NET_RAW:#x}) is missing")
    if capabilities & ~ALLOWED_CAPABILITIES:
        return failed(f"{sentence}: more than CAP_NET_RAW ({CAP_NET_RAW:#x})")
    return passed(f"{sentence}: CAP_NET_RAW alone")


def _read_identity(ecs: Any, logs: Any, task: WorkerTask) -> Mapping[str, Any] | None:
    definition = ecs.describe_task_definition(taskDefinition=task.definition)["taskDefinition"]
    containers = {container["name"]: container for container in definition["containerDefinitions"]}
    options = containers[CONTAINER]["logConfiguration"]["options"]
    stream = f"{options['awslogs-stream-prefix']}/{CONTAINER}/{task.task_id}"
    try:
        events = logs.get_log_events(
            logGroupName=options["awslogs-group"], logStreamName=stream, startFromHead=True, limit=MAX_LOG_EVENTS
        )["events"]
    except logs.exceptions.ResourceNotFoundException:
        return None
    return next(_find_identity(event["message"] for event in events), None)


def _find_identity(messages: Iterator[str]) -> Iterator[Mapping[str, Any]]:
    for message in messages:
        try:
            line = json.loads(message)
        except ValueError:
            continue
        if isinstance(line, dict) and line.get("message") == "worker starts":
            yield line


def sum_task_cost(tasks: Sequence[WorkerTask], now: datetime, prices: Prices, shape: StackShape) -> float:
    """What the tasks cost in US dollars, by their times; one that runs counts until now."""
    usd = 0.0
    for task in tasks:
        begin = task.pull_started_at or task.started_at or task.created_at
        hours = max(0.0, ((task.stopped_at or now) - begin).total_seconds()) / SECONDS_PER_HOUR
        is_spot = "SPOT" in task.provider
        vcpu = prices.fargate_spot_vcpu_hour if is_spot else prices.fargate_vcpu_hour
        memory = prices.fargate_spot_gb_hour if is_spot else prices.fargate_gb_hour
        address = prices.public_ipv4_hour if shape.public_ip else 0.0
        usd += hours * (vcpu * shape.vcpu + memory * shape.memory_gb + address)
    return usd
