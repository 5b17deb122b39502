"""An ECS task → its command: that of its container definition, with the overrides of RunTask."""

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

STOP_TIMEOUT_S = 30  # the default of ECS


class NotRunnable(Exception):
    """The task cannot run as a process. The message becomes the stop reason of the task."""


@dataclass(frozen=True, slots=True)
class TaskCommand:
    command: tuple[str, ...]
    environment: dict[str, str]
    stop_timeout_s: float


def task_command(task: TaskTypeDef, definition: TaskDefinitionTypeDef) -> TaskCommand:
    """Raises: NotRunnable: several containers, or only the image names the command."""
    containers = definition.get("containerDefinitions", [])
    if len(containers) != 1:
        count = len(containers)
        raise NotRunnable(f"a local stack runs tasks with one container, and this one has {count}")
    container = containers[0]
    overrides = task.get("overrides", {}).get("containerOverrides", [])
    matching = [entry for entry in overrides if entry.get("name") == container.get("name")]
    override: ContainerOverrideOutputTypeDef = matching[0] if matching else {}
    arguments = override.get("command") or container.get("command", [])
    command = (*container.get("entryPoint", []), *arguments)
    if not command:
        raise NotRunnable("the task definition names no command, and there is no image to ask")
    environment = dict(_pairs(container.get("environment", [])))
    environment |= dict(_pairs(override.get("environment", [])))
    return TaskCommand(
        command,
        environment,
        float(container.get("stopTimeout", STOP_TIMEOUT_S)),
    )


def _pairs(variables: Iterable[KeyValuePairTypeDef]) -> Mapping[str, str]:
    return {variable.get("name", ""): variable.get("value", "") for variable in variables}
