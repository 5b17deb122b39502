"""A task of ECS becomes the command it stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cascan_cli.local.task import NotRunnable, TaskCommand, task_command

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import ContainerDefinitionOutputTypeDef, ContainerOverrideOutputTypeDef, TaskTypeDef

WORKER: ContainerDefinitionOutputTypeDef = {
    "name": "worker",
    "command": ["python3", "-m", "on_shard_queued.worker"],
    "environment": [{"name": "LANE", "value": "raw"}, {"name": "IDLE_EXIT_S", "value": "60"}],
    "stopTimeout": 120,
}


def overriding(*overrides: ContainerOverrideOutputTypeDef) -> TaskTypeDef:
    return {"overrides": {"containerOverrides": list(overrides)}}


def test_the_definition_gives_command_environment_and_patience() -> None:
    assert task_command({}, {"containerDefinitions": [WORKER]}) == TaskCommand(
        ("python3", "-m", "on_shard_queued.worker"), {"LANE": "raw", "IDLE_EXIT_S": "60"}, 120.0
    )


def test_an_override_of_its_container_wins() -> None:
    task = overriding(
        {"name": "other", "command": ["false"]},
        {"name": "worker", "command": ["true"], "environment": [{"name": "LANE", "value": "connect"}]},
    )

    command = task_command(task, {"containerDefinitions": [WORKER]})

    assert command.command == ("true",)
    assert command.environment == {"LANE": "connect", "IDLE_EXIT_S": "60"}


def test_an_entry_point_stands_before_the_command() -> None:
    container: ContainerDefinitionOutputTypeDef = {"name": "worker", "entryPoint": ["/bin/sh"], "command": ["-c", "x"]}

    command = task_command({}, {"containerDefinitions": [container]})

    assert command == TaskCommand(("/bin/sh", "-c", "x"), {}, 30.0)


def test_a_task_that_is_no_single_command_says_so() -> None:
    with pytest.raises(NotRunnable, match="one container, and this one has 2"):
        task_command({}, {"containerDefinitions": [WORKER, WORKER]})
    with pytest.raises(NotRunnable, match="names no command"):
        task_command({}, {"containerDefinitions": [{"name": "worker"}]})
