"""The workers of vantages on one machine, against queues, a table and processes that are made up."""

from __future__ import annotations

import time
from typing import Any

import pytest

from cascan.aws.tables.items import vantage_item
from cascan.model.vantage import Vantage
from cascan_cli.local import vantage_workers
from cascan_cli.local.endpoint import Endpoint
from cascan_cli.local.task import TaskCommand
from cascan_cli.local.vantage_workers import LOOK_EVERY_S, MAX_VANTAGE_WORKERS, RETRY_AFTER_S, VantageWorkers


class Emulator:
    """ECS with the stack's two task definitions, SQS with counts by URL, and DynamoDB with vantages."""

    def __init__(self) -> None:
        self.waiting: dict[str, int] = {}
        self.vantages: list[Vantage] = []

    def list_families(self) -> list[str]:
        return ["cascan-connect", "cascan-raw"]

    def describe_task_definition(self, name: str) -> dict[str, Any]:
        variables = {"LANE": name.rpartition("-")[2], "SCAN_TABLE": "table", "NMAP_COMMAND": "nmap"}
        environment = [{"name": name, "value": value} for name, value in variables.items()]
        container = {"name": "worker", "command": ["python3", "-m", "worker"], "environment": environment}
        return {"containerDefinitions": [container]}

    def query(self, **_: Any) -> dict[str, Any]:
        return {"Items": [vantage_item(vantage) for vantage in self.vantages]}

    def get_queue_attributes(self, **given: Any) -> dict[str, Any]:
        count = str(self.waiting.get(given["QueueUrl"], 0))
        return {"Attributes": {"ApproximateNumberOfMessages": count}}

    def close(self) -> None: ...


class FakeProcess:
    def __init__(self, task_id: str, task: TaskCommand) -> None:
        self.task_id, self.task = task_id, task
        self.code: int | None = None
        self.has_stopped = False

    def exit_code(self) -> int | None:
        return self.code

    def ask_to_stop(self) -> None: ...

    def stop(self, within_s: float) -> int:
        assert within_s >= 0
        self.has_stopped = True
        return 0


class World:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.emulator, self.now = Emulator(), 1_000.0
        self.started: list[FakeProcess] = []
        monkeypatch.setattr(vantage_workers, "build_client", lambda *_: self.emulator)
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        emulator: Any = self.emulator
        self.workers = VantageWorkers(Endpoint(1, "secret"), emulator, self.start)

    def start(self, task_id: str, task: TaskCommand) -> Any:
        self.started.append(FakeProcess(task_id, task))
        return self.started[-1]

    def add(self, name: str, namespace: str = "lab", waiting: int = 1) -> None:
        queues = {lane: f"{name}-{lane}" for lane in ("connect", "raw")}
        self.emulator.vantages.append(Vantage(name=name, queues=queues, namespace=namespace))
        self.emulator.waiting |= dict.fromkeys(queues.values(), waiting)

    def step(self, after_s: float = LOOK_EVERY_S) -> list[str]:
        self.now += after_s
        return self.workers.step()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_a_lane_with_waiting_shards_has_one_worker_whose_nmap_enters_the_namespace(world: World) -> None:
    world.add("east", namespace="net-east")
    world.emulator.waiting["east-raw"] = 0
    world.step()
    world.step()

    (worker,) = world.started
    assert worker.task.command == ("python3", "-m", "worker")
    assert worker.task.environment == {
        "LANE": "connect",
        "SCAN_TABLE": "table",
        "SHARD_QUEUE_URL": "east-connect",
        "NMAP_COMMAND": "nsenter --net=/run/netns/net-east nmap",
        "HOSTNAME": "vantage-east-connect",
    }


def test_a_worker_that_has_ended_is_reported_once_and_started_again_for_new_shards(world: World) -> None:
    world.add("east")
    world.emulator.waiting["east-raw"] = 0
    world.step()
    world.started[0].code = 0

    assert world.step() == ["vantage-east-connect"]
    assert len(world.started) == 2
    assert world.step() == []


def test_a_worker_that_failed_is_not_started_again_at_once(world: World) -> None:
    world.add("east")
    world.emulator.waiting["east-raw"] = 0
    world.step()
    world.started[0].code = 1
    world.step()
    assert len(world.started) == 1
    world.step(after_s=RETRY_AFTER_S)
    assert len(world.started) == 2


def test_the_number_of_workers_is_bounded_and_the_others_take_turns(world: World) -> None:
    for number in range(MAX_VANTAGE_WORKERS):
        world.add(f"east-{number}")
    world.step()
    assert len(world.started) == MAX_VANTAGE_WORKERS
    world.started[0].code = 0
    world.emulator.waiting["east-0-connect"] = 0
    world.step()
    assert len(world.started) == MAX_VANTAGE_WORKERS + 1


def test_a_vantage_without_a_namespace_is_left_to_those_who_drain_it(world: World) -> None:
    world.add("office", namespace="")
    world.step()
    assert not world.started


def test_workers_end_with_the_stack(world: World) -> None:
    world.add("east")
    world.step()
    world.workers.stop(within_s=1)
    assert [worker.has_stopped for worker in world.started] == [True, True]


def test_between_two_looks_nothing_is_asked(world: World) -> None:
    world.step()
    world.add("east")
    world.step(after_s=LOOK_EVERY_S / 2)
    assert not world.started
