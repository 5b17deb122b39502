"""Workers for the vantages of this machine: nmap of each runs in the vantage's network namespace.

On AWS a launcher starts workers where a vantage is (infra/vantage.yaml). On one machine the task agent
does: while shards of a vantage wait, one worker for each lane drains its queue, and ends when it is idle.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

from cascan.aws.tables.items import VANTAGES, read_vantage
from cascan_cli.local.ecs_client import build_client
from cascan_cli.local.process import Process
from cascan_cli.local.task import TaskCommand, task_command

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

    from cascan.model.vantage import Vantage
    from cascan_cli.local.ecs_client import EcsClient
    from cascan_cli.local.endpoint import Endpoint

LOOK_EVERY_S = 2.0
RETRY_AFTER_S = 30.0  # after a worker that failed
MAX_VANTAGE_WORKERS = 4  # at once, of all vantages; the others take turns
WAITING: Final = "ApproximateNumberOfMessages"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """A lane of a vantage in a namespace, which one worker at a time drains."""

    vantage: str
    lane: str
    queue_url: str
    namespace: str

    @property
    def task_id(self) -> str:
        return f"vantage-{self.vantage}-{self.lane}"


class VantageWorkers:
    """Called by the task agent's thread at each poll. `start` starts a command under a name."""

    def __init__(self, endpoint: Endpoint, ecs: EcsClient, start: Callable[[str, TaskCommand], Process]) -> None:
        self._ecs = ecs
        self._sqs: SQSClient = build_client("sqs", endpoint)
        self._dynamodb: DynamoDBClient = build_client("dynamodb", endpoint)
        self._start = start
        self._tasks: dict[str, TaskCommand] = {}  # of the stack's own workers, by lane
        self._processes: dict[Place, Process] = {}
        self._not_before: dict[Place, float] = {}
        self._look_at = 0.0

    @property
    def are_running(self) -> bool:
        return bool(self._processes)

    def step(self) -> list[str]:
        """Start missing workers. Returns the names of those that have ended since the last call."""
        ended = list(self._collect_ended())
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_EVERY_S
            for place in self._find_places():
                self._start_if_missing(place)
        return ended

    def stop(self, within_s: float) -> None:
        for process in self._processes.values():
            process.ask_to_stop()
        deadline = time.monotonic() + within_s
        for process in self._processes.values():
            process.stop(within_s=max(0.0, deadline - time.monotonic()))

    def close(self) -> None:
        self._sqs.close()
        self._dynamodb.close()

    def _collect_ended(self) -> Iterator[str]:
        for place, process in list(self._processes.items()):
            code = process.exit_code()
            if code is None:
                continue
            del self._processes[place]
            if code:
                self._not_before[place] = time.monotonic() + RETRY_AFTER_S
                logger.warning("the worker of %s ended with exit code %s", place.task_id, code)
            yield place.task_id

    def _find_places(self) -> Iterator[Place]:
        """Those of removed vantages too: their scans run to their end."""
        tasks = self._read_tasks()
        table = next((task.environment.get("SCAN_TABLE", "") for task in tasks.values()), "")
        if not table:
            return
        for vantage in self._read_vantages(table):
            if vantage.namespace:
                for lane, url in vantage.queues.items():
                    if lane in tasks:
                        yield Place(vantage.name, lane, url, vantage.namespace)

    def _read_tasks(self) -> dict[str, TaskCommand]:
        """The commands of the stack's workers: those of a vantage have the same settings otherwise."""
        if not self._tasks:
            for family in self._ecs.list_families():
                lane = family.rpartition("-")[2]
                definition = self._ecs.describe_task_definition(family)
                self._tasks[lane] = task_command({}, definition)
        return self._tasks

    def _read_vantages(self, table: str) -> list[Vantage]:
        answer = self._dynamodb.query(
            TableName=table,
            KeyConditionExpression="pk = :vantages",
            ExpressionAttributeValues={":vantages": {"S": VANTAGES}},
        )
        return [read_vantage(cast("dict[str, dict[str, Any]]", item)) for item in answer["Items"]]

    def _start_if_missing(self, place: Place) -> None:
        if place in self._processes or len(self._processes) >= MAX_VANTAGE_WORKERS:
            return
        if time.monotonic() < self._not_before.get(place, 0.0) or not self._count_waiting(place.queue_url):
            return
        task = self._tasks[place.lane]
        own = {
            "SHARD_QUEUE_URL": place.queue_url,
            "NMAP_COMMAND": f"nsenter --net=/run/netns/{place.namespace} nmap",
            "HOSTNAME": place.task_id,
        }
        self._processes[place] = self._start(place.task_id, replace(task, environment=task.environment | own))

    def _count_waiting(self, queue_url: str) -> int:
        answer = self._sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=[WAITING])
        return int(answer["Attributes"][WAITING])
