"""Fleet's contract, on the fake and on ECS; and what only ECS does. moto does not read client tokens, ECS does."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cascan.aws import clients
from cascan.aws.fleet import EcsFleet
from cascan.errors import GatewayUnavailable
from cascan.gateways import Fleet, Launch
from cascan.model.shard import Lane
from tests.fakes import MemoryFleet
from tests.integration.gateways.conftest import CLUSTER, Script


class TestFleet:
    @pytest.mark.parametrize("count", [1, 10, 23])
    def test_workers_run_in_the_lane_they_were_launched_in(self, fleet: Fleet, count: int) -> None:
        assert fleet.launch(Lane.RAW, count, "tick-1") == Launch(count)
        assert (fleet.running(Lane.RAW), fleet.running(Lane.CONNECT)) == (count, 0)

    def test_launches_under_different_tokens_add_up(self, fleet: Fleet) -> None:
        fleet.launch(Lane.CONNECT, 2, "tick-1")
        fleet.launch(Lane.CONNECT, 3, "tick-2")
        assert fleet.running(Lane.CONNECT) == 5

    def test_launching_none_starts_none(self, fleet: Fleet) -> None:
        assert fleet.launch(Lane.CONNECT, 0, "tick-1") == Launch(0)
        assert fleet.running(Lane.CONNECT) == 0


class TestMemoryFleet:
    def test_the_same_token_and_lane_start_workers_once(self) -> None:
        fleet = MemoryFleet()
        launches = [fleet.launch(lane, 2, "tick-1") for lane in (Lane.RAW, Lane.RAW, Lane.CONNECT)]
        assert launches == [Launch(2)] * 3
        assert (fleet.running(Lane.RAW), fleet.running(Lane.CONNECT)) == (2, 2)


class TestEcs:
    def test_a_task_runs_on_fargate_in_the_network_it_was_given(
        self, ecs_fleet: EcsFleet, subnet_id: str, script: Script
    ) -> None:
        requests = script(clients.ecs(), "run_task", ())
        ecs_fleet.launch(Lane.RAW, 2, "tick-1")
        (request,) = requests
        assert len(request.pop("clientToken")) == 64
        assert request.pop("taskDefinition").endswith("task-definition/cascan-raw:1")
        assert request == {
            "cluster": CLUSTER,
            "count": 2,
            "startedBy": "cascan/raw",
            "propagateTags": "TASK_DEFINITION",
            "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
            "networkConfiguration": {
                "awsvpcConfiguration": {
                    "subnets": [subnet_id],
                    "securityGroups": ["sg-1"],
                    "assignPublicIp": "ENABLED",
                }
            },
            "overrides": {
                "containerOverrides": [{"name": "worker", "environment": [{"name": "CAPACITY", "value": "spot"}]}]
            },
        }

    def test_a_launch_is_named_by_its_token_lane_and_call_alone(self, ecs_fleet: EcsFleet, script: Script) -> None:
        requests = script(clients.ecs(), "run_task", ())
        for lane, token in ((Lane.RAW, "1"), (Lane.RAW, "1"), (Lane.CONNECT, "1"), (Lane.RAW, "2")):
            ecs_fleet.launch(lane, 15, token)
        tokens = [request["clientToken"] for request in requests]
        assert tokens[0:2] == tokens[2:4]
        assert len(set(tokens)) == 6

    def test_tasks_without_spot_capacity_are_started_on_demand(self, ecs_fleet: EcsFleet, script: Script) -> None:
        run = clients.ecs().run_task

        def one_of_three(request: dict[str, Any]) -> dict[str, Any]:
            return {"tasks": run(**{**request, "count": 1})["tasks"], "failures": [{"reason": "Capacity"}] * 2}

        requests = script(clients.ecs(), "run_task", [one_of_three])
        assert ecs_fleet.launch(Lane.RAW, 3, "tick-1") == Launch(3)
        assert [(request["count"], provider(request)) for request in requests] == [(3, "FARGATE_SPOT"), (2, "FARGATE")]
        assert len({request["clientToken"] for request in requests}) == 2
        assert ecs_fleet.running(Lane.RAW) == 3

    def test_tasks_without_any_capacity_are_reported_and_left_to_the_next_tick(
        self, ecs_fleet: EcsFleet, script: Script
    ) -> None:
        requests = script(clients.ecs(), "run_task", repeat({"tasks": [], "failures": [{"reason": "RESOURCE:ENI"}]}))
        launch = ecs_fleet.launch(Lane.RAW, 2, "tick-1")
        assert launch == Launch(0, ("FARGATE_SPOT: RESOURCE:ENI", "FARGATE: RESOURCE:ENI"))
        assert len(requests) == 2

    def test_a_provider_that_starts_no_task_of_a_call_is_not_called_again_in_this_launch(
        self, ecs_fleet: EcsFleet, script: Script
    ) -> None:
        requests = script(clients.ecs(), "run_task", repeat({"tasks": [], "failures": [{"reason": "vCPU limit"}]}))

        assert ecs_fleet.launch(Lane.RAW, 1_000, "1").started == 0
        assert [provider(request) for request in requests] == ["FARGATE_SPOT", "FARGATE"]

    def test_spot_is_skipped_when_it_just_ran_short_or_is_turned_off(
        self, ecs_fleet: EcsFleet, subnet_id: str, script: Script
    ) -> None:
        requests = script(clients.ecs(), "run_task", ())
        ecs_fleet.launch(Lane.RAW, 1, "tick-1", spot=False)
        tasks = {Lane.RAW: requests[0]["taskDefinition"]}
        EcsFleet(CLUSTER, tasks, [subnet_id], ["sg-1"], spot_first=False).launch(Lane.RAW, 1, "tick-2")
        assert [provider(request) for request in requests] == ["FARGATE", "FARGATE"]

    def test_a_throttled_launch_is_an_error_and_what_it_started_before_goes_on(
        self, ecs_fleet: EcsFleet, script: Script
    ) -> None:
        run = clients.ecs().run_task
        throttled: Any = {"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}
        script(clients.ecs(), "run_task", [lambda request: run(**request), ClientError(throttled, "RunTask")])
        with pytest.raises(GatewayUnavailable, match=r"fleet: .*Rate exceeded"):
            ecs_fleet.launch(Lane.RAW, 15, "tick-1")
        assert ecs_fleet.running(Lane.RAW) == 10

    def test_a_token_that_started_fewer_tasks_counts_those_and_asks_for_the_rest(
        self, ecs_fleet: EcsFleet, script: Script
    ) -> None:
        response: Any = {"Error": {"Code": "ConflictException"}, "resourceIds": ["arn:1", "arn:2"]}
        conflict = clients.ecs().exceptions.ConflictException(response, "RunTask")
        requests = script(clients.ecs(), "run_task", [conflict])
        ecs_fleet.launch(Lane.RAW, 5, "tick-1")
        assert [request["count"] for request in requests] == [5, 3]

    def test_workers_of_an_older_revision_are_counted(self, ecs_fleet: EcsFleet) -> None:
        ecs_fleet.launch(Lane.RAW, 2, "tick-1")
        newer = EcsFleet(CLUSTER, {Lane.RAW: "arn:aws:ecs:eu-central-1:1:task-definition/cascan-raw:2"}, (), ())
        assert newer.running(Lane.RAW) == 2

    def test_workers_are_counted_on_every_page(self, ecs_fleet: EcsFleet, script: Script) -> None:
        pages: list[dict[str, Any]] = [{"taskArns": ["arn:1", "arn:2"], "nextToken": "more"}, {"taskArns": ["arn:3"]}]
        requests = script(clients.ecs(), "list_tasks", pages)
        script(clients.ecs(), "describe_tasks", repeat_described("RUNNING"))
        assert ecs_fleet.running(Lane.CONNECT) == 3
        assert [request.get("nextToken") for request in requests] == [None, "more"]
        assert requests[0]["desiredStatus"] == "RUNNING"

    @pytest.mark.parametrize("status", ["STOPPED", "DEPROVISIONING", "STOPPING", "DEACTIVATING"])
    def test_a_task_that_has_ended_does_not_count_as_a_worker(
        self, ecs_fleet: EcsFleet, script: Script, status: str
    ) -> None:
        ecs_fleet.launch(Lane.RAW, 2, "tick-1")
        script(clients.ecs(), "describe_tasks", repeat_described(status))
        assert ecs_fleet.running(Lane.RAW) == 0

    @pytest.mark.parametrize("status", ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING"])
    def test_a_task_that_is_about_to_run_is_a_worker(self, ecs_fleet: EcsFleet, script: Script, status: str) -> None:
        ecs_fleet.launch(Lane.RAW, 2, "tick-1")
        script(clients.ecs(), "describe_tasks", repeat_described(status))
        assert ecs_fleet.running(Lane.RAW) == 2

    def test_a_cluster_that_does_not_exist_is_unavailable(self, aws: None) -> None:
        gone = EcsFleet("gone", {Lane.RAW: "cascan-raw:1"}, ("subnet-1",), ("sg-1",))
        with pytest.raises(GatewayUnavailable, match=r"fleet: .*ClusterNotFound"):
            gone.running(Lane.RAW)
        with pytest.raises(GatewayUnavailable, match=r"fleet: .*ClusterNotFound"):
            gone.launch(Lane.RAW, 1, "tick-1")


def repeat_described(status: str) -> Iterator[Any]:
    """Answers of DescribeTasks that give every task this status."""
    return repeat(lambda request: {"tasks": [{"taskArn": arn, "lastStatus": status} for arn in request["tasks"]]})


def provider(request: dict[str, Any]) -> str:
    (strategy,) = request["capacityProviderStrategy"]
    return str(strategy["capacityProvider"])
