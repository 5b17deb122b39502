"""EcsFleet: Fargate tasks that drain a lane's queue, on Spot first.

A launch gives each call a client token made of token, lane, provider and number. ECS answers a
repeated call with the tasks that the first one started. Tasks for which Spot has no capacity are
started on demand, in the same launch. A provider that starts none of a call's tasks is not called
again in that launch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from cascan.aws import clients
from cascan.aws.boundary import translate_errors
from cascan.gateways import Launch
from cascan.model.shard import Lane
from cascan.model.usage import CAPACITY_VARIABLE, Capacity

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import (
        KeyValuePairTypeDef,
        NetworkConfigurationTypeDef,
        TaskOverrideTypeDef,
    )

GATEWAY = "fleet"
MAX_TASKS = 10  # RunTask
# Source: the task life cycle of ECS
ENDING = ("DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED", "DELETED")
SPOT, ON_DEMAND = "FARGATE_SPOT", "FARGATE"
CAPACITIES = {SPOT: Capacity.SPOT, ON_DEMAND: Capacity.ON_DEMAND}
CONTAINER = "worker"  # of the task definitions


class EcsFleet:
    """Fleet on ECS.

    `task_definitions`: an ARN or `family:revision` for each lane. A lane without one raises a
    KeyError. `spot_first`: use Spot, which costs a third and stops a worker at two minutes' notice.
    Another worker then continues its shard.
    """

    def __init__(
        self,
        cluster: str,
        task_definitions: Mapping[Lane, str],
        subnets: Sequence[str],
        security_groups: Sequence[str],
        *,
        assign_public_ip: bool = False,
        spot_first: bool = True,
    ) -> None:
        self._cluster = cluster
        self._task_definitions = dict(task_definitions)
        self._spot_first = spot_first
        self._network: NetworkConfigurationTypeDef = {
            "awsvpcConfiguration": {
                "subnets": list(subnets),
                "securityGroups": list(security_groups),
                "assignPublicIp": "ENABLED" if assign_public_ip else "DISABLED",
            }
        }

    def running(self, lane: Lane) -> int:
        """How many tasks run or start. ECS may list ended tasks, so each task's status decides."""
        with translate_errors(GATEWAY):
            list_tasks = clients.ecs().get_paginator("list_tasks")
            pages = list_tasks.paginate(
                cluster=self._cluster,
                family=parse_family(self._task_definitions[lane]),  # workers of older revisions too
                desiredStatus="RUNNING",  # pending tasks have it as well
            )
            return sum(self._alive(page["taskArns"]) for page in pages)

    def _alive(self, tasks: Sequence[str]) -> int:
        """How many tasks of a page are not ending. One DescribeTasks accepts a whole page."""
        if not tasks:
            return 0
        described = clients.ecs().describe_tasks(cluster=self._cluster, tasks=tasks)["tasks"]
        return sum(task["lastStatus"] not in ENDING for task in described)

    def launch(self, lane: Lane, count: int, token: str, *, spot: bool = True) -> Launch:
        providers = (SPOT, ON_DEMAND) if spot and self._spot_first else (ON_DEMAND,)
        started, reasons = 0, dict[str, None]()
        exhausted = set[str]()  # a provider without room: hundreds of further calls would fail as well
        for number, start in enumerate(range(0, count, MAX_TASKS)):
            missing = min(MAX_TASKS, count - start)
            for provider in providers:
                if missing <= 0 or provider in exhausted:
                    continue
                call_token = f"{token}/{lane}/{provider}/{number}"
                running, failures = self._run(lane, missing, provider, call_token)
                started, missing = started + running, missing - running
                reasons |= dict.fromkeys(f"{provider}: {failure}" for failure in failures)
                if failures and not running:
                    exhausted.add(provider)
        return Launch(started, tuple(reasons) if started < count else ())

    def _run(self, lane: Lane, count: int, provider: str, token: str) -> tuple[int, list[str]]:
        """How many tasks the first call with this token started, and why not all of them."""
        with translate_errors(GATEWAY):
            try:
                answer = clients.ecs().run_task(
                    cluster=self._cluster,
                    taskDefinition=self._task_definitions[lane],
                    count=count,
                    clientToken=hash_token(token),
                    startedBy=f"cascan/{lane}",
                    propagateTags="TASK_DEFINITION",
                    capacityProviderStrategy=[{"capacityProvider": provider, "weight": 1}],
                    networkConfiguration=self._network,
                    overrides=_tell_capacity(provider),
                )
            except clients.ecs().exceptions.ConflictException as exc:
                # An earlier call with this token asked for another number of tasks.
                started = cast("Any", exc.response)["resourceIds"]
                return len(started), ["the token was used for another launch"]
        reasons = [failure.get("reason", "unknown") for failure in answer["failures"]]
        return len(answer["tasks"]), reasons


def _tell_capacity(provider: str) -> TaskOverrideTypeDef:
    """The task's environment says what it is paid as: a task cannot find out by itself."""
    variable: KeyValuePairTypeDef = {"name": CAPACITY_VARIABLE, "value": CAPACITIES[provider].value}
    return {"containerOverrides": [{"name": CONTAINER, "environment": [variable]}]}


def parse_family(task_definition: str) -> str:
    """`cascan-connect` of `arn:aws:ecs:…:task-definition/cascan-connect:3`."""
    return task_definition.rsplit("/", 1)[-1].split(":", 1)[0]


def hash_token(token: str) -> str:
    """64 hexadecimal digits, the most that ECS takes."""
    return hashlib.sha256(token.encode()).hexdigest()
