"""The emulator's ECS, and what its tasks need, without boto3.

The supervisor starts while the emulator and the functions do, and boto3 would take as much of the processor
as they take together for half a second; afterwards a poll through it takes ten times as long.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from cascan.aws.token_client import TokenClient, TokenEndpoint

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import TaskTypeDef

    from cascan_cli.local.endpoint import Endpoint

TIMES = ("createdAt", "stoppedAt")  # of a task, that are seconds in JSON


def build_client(service: str, endpoint: Endpoint) -> Any:
    """A client for one of the services that TokenClient knows."""
    return TokenClient(service, TokenEndpoint(endpoint.url, endpoint.secret))


class EcsClient:
    """As much of the client of boto3 as the task agent uses."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._client = build_client("ecs", endpoint)

    def list_clusters(self) -> list[str]:
        return cast("list[str]", self._client.list_clusters()["clusterArns"])

    def list_running_tasks(self, cluster: str) -> Iterator[str]:
        """The ARNs of the tasks that should run; DescribeTasks says whether they do."""
        start: dict[str, str] = {}
        while True:
            page = self._client.list_tasks(cluster=cluster, desiredStatus="RUNNING", **start)
            yield from page["taskArns"]
            if not page.get("nextToken"):
                return
            start = {"nextToken": page["nextToken"]}

    def describe_task(self, cluster: str, arn: str) -> list[TaskTypeDef]:
        """The task; empty: there is none."""
        return list(map(_read_task, self._client.describe_tasks(cluster=cluster, tasks=[arn])["tasks"]))

    def stop_task(self, cluster: str, arn: str, reason: str) -> TaskTypeDef:
        return _read_task(self._client.stop_task(cluster=cluster, task=arn, reason=reason)["task"])

    def describe_task_definition(self, name: str) -> Any:
        return self._client.describe_task_definition(taskDefinition=name)["taskDefinition"]

    def list_families(self) -> list[str]:
        """The names of the task definitions that are in use."""
        return cast("list[str]", self._client.list_task_definition_families(status="ACTIVE")["families"])

    def close(self) -> None:
        self._client.close()


def _read_task(document: dict[str, Any]) -> TaskTypeDef:
    times = {name: datetime.fromtimestamp(document[name], UTC) for name in TIMES if document.get(name) is not None}
    return cast("TaskTypeDef", document | times)
