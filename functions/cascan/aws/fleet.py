"""EcsFleet: Fargate tasks that drain a lane's queue.

A launch names its calls by token, lane and number: ECS answers a call it has seen with the tasks it started then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from cascan.aws import clients
from cascan.aws.boundary import translated, tries
from cascan.errors import GatewayUnavailable
from cascan.model.shard import Lane

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import NetworkConfigurationTypeDef

GATEWAY = "fleet"
MAX_TASKS = 10  # RunTask


class EcsFleet:
    """Fleet on ECS. `task_definitions` holds ARNs or `family:revision`, by lane; a lane without one is a KeyError.

    capacity_provider: FARGATE or FARGATE_SPOT, as the cluster lists them; Spot stops a worker at two minutes' notice.
    """

    def __init__(
        self,
        cluster: str,
        task_definitions: Mapping[Lane, str],
        subnets: Sequence[str],
        security_groups: Sequence[str],
        *,
        assign_public_ip: bool = False,
        capacity_provider: str = "FARGATE",
    ) -> None:
        self._cluster = cluster
        self._task_definitions = dict(task_definitions)
        self._capacity_provider = capacity_provider
        self._network: NetworkConfigurationTypeDef = {
            "awsvpcConfiguration": {
                "subnets": list(subnets),
                "securityGroups": list(security_groups),
                "assignPublicIp": "ENABLED" if assign_public_ip else "DISABLED",
            }
        }

    def running(self, lane: Lane) -> int:
        with translated(GATEWAY):
            pages = (
                clients.ecs()
                .get_paginator("list_tasks")
                .paginate(
                    cluster=self._cluster,
                    family=family_of(
                        self._task_definitions[lane]
                    ),  # workers of an older revision drain the queue as well
                    desiredStatus="RUNNING",  # pending tasks desire it too
                )
            )
            return sum(len(page["taskArns"]) for page in pages)

    def launch(self, lane: Lane, count: int, token: str) -> int:
        """Raises: GatewayUnavailable: fewer started than were asked for; those that did go on running."""
        for first in range(0, count, MAX_TASKS):
            self._launch_all(lane, min(MAX_TASKS, count - first), f"{token}/{lane}/{first // MAX_TASKS}")
        return max(count, 0)

    def _launch_all(self, lane: Lane, count: int, token: str) -> None:
        reasons: list[str] = []
        for number in tries():
            started, reasons = self._run(lane, count, client_token(token, number))
            count -= started
            if count <= 0:
                return
        raise GatewayUnavailable(f"{GATEWAY}: {count} workers were not started: {', '.join(sorted(set(reasons)))}")

    def _run(self, lane: Lane, count: int, client_token: str) -> tuple[int, list[str]]:
        """How many tasks the call started, now or when it was first made, and why others were not."""
        with translated(GATEWAY):
            try:
                answer = clients.ecs().run_task(
                    cluster=self._cluster,
                    taskDefinition=self._task_definitions[lane],
                    count=count,
                    clientToken=client_token,
                    startedBy=f"cascan/{lane}",
                    capacityProviderStrategy=[{"capacityProvider": self._capacity_provider, "weight": 1}],
                    networkConfiguration=self._network,
                )
            except clients.ecs().exceptions.ConflictException as exc:  # the token started another number of tasks
                return len(cast("Any", exc.response)["resourceIds"]), ["the token was used for another launch"]
        return len(answer["tasks"]), [failure.get("reason", "unknown") for failure in answer["failures"]]


def family_of(task_definition: str) -> str:
    """`cascan-connect` of `arn:aws:ecs:…:task-definition/cascan-connect:3`."""
    return task_definition.rsplit("/", 1)[-1].split(":", 1)[0]


def client_token(token: str, number: int) -> str:
    """64 hexadecimal digits, the most that ECS takes; another try is another call to ECS, so it has another token."""
    return hashlib.sha256(f"{token}/{number}".encode()).hexdigest()
