"""The task agent against an ECS that remembers tasks of a stack that was killed, and answers now and then."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cascan_cli.local import agent as agents
from cascan_cli.local.agent import TaskAgent
from cascan_cli.local.state import StateDir

SINCE = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLUSTER = "arn:aws:ecs:us-east-1:000000000000:cluster/cascan"


def arn_of(name: str) -> str:
    return f"arn:aws:ecs:us-east-1:000000000000:task/cascan/{name}"


@dataclass
class Ecs:
    """Stops a task once, like the emulator; one that it restored as stopped stays listed for ever."""

    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    stop_calls: list[str] = field(default_factory=list)
    fails: int = 0  # so many calls of StopTask

    def put(self, name: str, status: str = "RUNNING", created_at: datetime = SINCE) -> str:
        arn = arn_of(name)
        self.tasks[arn] = {
            "taskArn": arn,
            "taskDefinitionArn": "worker:1",
            "lastStatus": status,
            "desiredStatus": "RUNNING",
            "createdAt": created_at,
            "containers": [{"name": "worker"}],
        }
        return arn

    def running(self) -> list[str]:
        return [arn for arn, task in self.tasks.items() if task["lastStatus"] == "RUNNING"]

    def list_clusters(self) -> list[str]:
        return [CLUSTER]

    def list_running_tasks(self, _cluster: str) -> list[str]:
        return [arn for arn, task in self.tasks.items() if task["desiredStatus"] == "RUNNING"]

    def describe_task(self, cluster: str, arn: str) -> list[dict[str, Any]]:
        assert cluster == "cascan"
        return [self.tasks[arn]]

    def describe_task_definition(self, _: str) -> dict[str, Any]:
        return {"containerDefinitions": [{"name": "worker", "command": ["worker"]}]}

    def stop_task(self, cluster: str, task: str, reason: str) -> dict[str, Any]:
        assert cluster == "cascan"
        self.stop_calls.append(reason)
        if self.fails:
            self.fails -= 1
            raise OSError("the emulator did not answer")
        found = self.tasks[task]
        if found["lastStatus"] != "STOPPED":
            found |= {"lastStatus": "STOPPED", "desiredStatus": "STOPPED", "stoppedReason": reason}
        return found


class FakeProcess:
    started: list[FakeProcess] = []  # noqa: RUF012 - emptied for each test

    def __init__(self, *_: Any, **__: Any) -> None:
        self.code: int | None = None
        self.asked = False
        self.started.append(self)

    def exit_code(self) -> int | None:
        return self.code

    def ask_to_stop(self) -> None:
        self.asked = True


@pytest.fixture
def ecs() -> Ecs:
    return Ecs()


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TaskAgent:
    monkeypatch.setattr(agents, "Process", FakeProcess)
    monkeypatch.setattr(FakeProcess, "started", [])
    monkeypatch.setattr(TaskAgent, "_notify_listeners", lambda *_: None)
    return TaskAgent(StateDir(tmp_path), tmp_path, SINCE, lock_fd=-1)


def look(agent: TaskAgent, ecs: Ecs) -> None:
    agent._step(ecs)  # type: ignore[arg-type]


def test_a_task_of_a_stack_that_was_killed_is_left_alone_once_the_emulator_says_it_is_stopped(
    agent: TaskAgent, ecs: Ecs
) -> None:
    ecs.put("restored", status="STOPPED", created_at=SINCE.replace(hour=11))
    look(agent, ecs)
    look(agent, ecs)
    assert (FakeProcess.started, ecs.stop_calls) == ([], [])


def test_an_older_task_that_counts_as_running_is_stopped(agent: TaskAgent, ecs: Ecs) -> None:
    ecs.put("older", created_at=SINCE.replace(hour=11))
    look(agent, ecs)
    assert (FakeProcess.started, ecs.running()) == ([], [])


def test_a_task_is_started_once_and_stopped_with_its_process(agent: TaskAgent, ecs: Ecs) -> None:
    ecs.put("new")
    look(agent, ecs)
    look(agent, ecs)
    (process,) = FakeProcess.started
    process.code = 0
    look(agent, ecs)
    assert ecs.running() == []


def test_a_stop_that_failed_is_tried_again_until_the_task_is_stopped(agent: TaskAgent, ecs: Ecs) -> None:
    ecs.put("new")
    look(agent, ecs)
    FakeProcess.started[0].code = -9
    ecs.fails = 2
    for _ in range(2):
        with pytest.raises(OSError, match="did not answer"):
            look(agent, ecs)
    look(agent, ecs)
    assert ecs.running() == []


def test_a_task_whose_process_cannot_be_started_is_stopped_and_does_not_end_the_agent(
    agent: TaskAgent, ecs: Ecs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_: Any, **__: Any) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(agents, "Process", no_memory)
    ecs.put("new")
    ecs.fails = 1
    with pytest.raises(OSError, match="did not answer"):
        look(agent, ecs)
    look(agent, ecs)  # it was started before, and has no process
    assert ecs.running() == []
    assert "Cannot allocate memory" in ecs.stop_calls[0]


def test_the_scratch_of_a_task_ends_with_it(agent: TaskAgent, ecs: Ecs, tmp_path: Path) -> None:
    ecs.put("new")
    look(agent, ecs)
    (folder,) = (tmp_path / "tmp").iterdir()
    (folder / "shard-left").mkdir()
    FakeProcess.started[0].code = -9
    look(agent, ecs)
    assert list((tmp_path / "tmp").iterdir()) == []
