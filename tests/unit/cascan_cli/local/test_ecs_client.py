"""The client for the emulator's ECS, against the emulator's code for it."""

from __future__ import annotations

import asyncio
import importlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cascan_cli.local import ecs_client
from cascan_cli.local.ecs_client import EcsClient
from cascan_cli.local.endpoint import Endpoint

TARGET = "AmazonEC2ContainerServiceV20141113"


class EmulatedEcs:
    """The emulator's ECS in this process, called as TokenClient calls it."""

    def __getattr__(self, name: str) -> Any:
        operation = "".join(word.capitalize() for word in name.split("_"))

        def call(**request: Any) -> dict[str, Any]:
            ecs = importlib.import_module("ministack.services.ecs")
            headers = {"x-amz-target": f"{TARGET}.{operation}"}
            handled = ecs.handle_request("POST", "/", headers, json.dumps(request).encode(), {})
            status, _, body = asyncio.run(handled)
            assert status == 200, body
            answer: dict[str, Any] = json.loads(body)
            return answer

        return call


@pytest.fixture
def ecs(monkeypatch: pytest.MonkeyPatch) -> EcsClient:
    monkeypatch.setattr("ministack.services.ecs._get_docker", lambda: None)
    monkeypatch.setattr(ecs_client, "build_client", lambda *_: EmulatedEcs())
    return EcsClient(Endpoint(1, "secret"))


def test_a_task_is_listed_described_and_stopped(ecs: EcsClient) -> None:
    emulated: Any = EmulatedEcs()
    cluster = emulated.create_cluster(clusterName="of-this-test")["cluster"]["clusterArn"]
    container = {"name": "worker", "image": "worker", "memory": 128, "command": ["worker"]}
    definition = {"family": "of-this-test", "containerDefinitions": [container]}
    emulated.register_task_definition(**definition)
    assert cluster in ecs.list_clusters()
    assert list(ecs.list_running_tasks(cluster)) == []
    assert "of-this-test" in ecs.list_families()
    assert ecs.describe_task_definition("of-this-test")["containerDefinitions"][0]["command"] == ["worker"]

    (started,) = emulated.run_task(cluster=cluster, taskDefinition="of-this-test")["tasks"]
    (arn,) = ecs.list_running_tasks(cluster)
    assert arn == started["taskArn"]
    (task,) = ecs.describe_task("of-this-test", arn)
    assert abs(task["createdAt"] - datetime.now(UTC)) < timedelta(minutes=1)
    assert ecs.stop_task("of-this-test", arn, "a reason")["stoppedReason"] == "a reason"
    assert list(ecs.list_running_tasks(cluster)) == []


def test_every_page_of_tasks_is_read(ecs: EcsClient, monkeypatch: pytest.MonkeyPatch) -> None:
    pages: dict[str, dict[str, Any]] = {
        "": {"taskArns": ["a"], "nextToken": "more"},
        "more": {"taskArns": ["b"], "nextToken": None},
    }

    class Paged:
        def list_tasks(self, *, nextToken: str = "", **_: Any) -> dict[str, Any]:  # noqa: N803 - a name of ECS
            return pages[nextToken]

    monkeypatch.setattr(ecs, "_client", Paged())
    assert list(ecs.list_running_tasks("cluster")) == ["a", "b"]
