"""A task of ECS → the command it stands for: its container definition, with what RunTask overrides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import (
        ContainerOverrideOutputTypeDef,
        KeyValuePairTypeDef,
        TaskDefinitionTypeDef,
        TaskTypeDef,
    )

STOP_TIMEOUT_S = 30  # of ECS, where a container definition says nothing


class NotRunnable(Exception):
    """The task cannot run as a process; the message is the reason its task is stopped with."""


@dataclass(frozen=True, slots=True)
class TaskCommand:
    command: tuple[str, ...]
    environment: dict[str, str]
    stop_timeout_s: float


def task_command(task: TaskTypeDef, definition: TaskDefinitionTypeDef) -> TaskCommand:
    """Raises: NotRunnable: not one container, or one whose command only its image knows."""
    containers = definition.get("containerDefinitions", [])
    if len(containers) != 1:
        raise NotRunnable(f"one machine runs tasks of one container, and this has {len(containers)}")
    container = containers[0]
    overrides = task.get("overrides", {}).get("containerOverrides", [])
    matching = [entry for entry in overrides if entry.get("name") == container.get("name")]
    override: ContainerOverrideOutputTypeDef = matching[0] if matching else {}
    command = (*container.get("entryPoint", []), *(override.get("command") or container.get("command", [])))
    if not command:
        raise NotRunnable("the task definition names no command, and there is no image to ask")
    return TaskCommand(
        command,
        dict(_pairs(container.get("environment", []))) | dict(_pairs(override.get("environment", []))),
        float(container.get("stopTimeout", STOP_TIMEOUT_S)),
    )


def _pairs(variables: Iterable[KeyValuePairTypeDef]) -> Mapping[str, str]:
    return {variable.get("name", ""): variable.get("value", "") for variable in variables}
