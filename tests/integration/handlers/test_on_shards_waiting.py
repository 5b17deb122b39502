"""on_shards_waiting: events, ticks and stopped tasks start as many workers as the waiting shards are worth."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from cascan.aws import clients
from cascan.errors import MalformedMessage
from cascan.events import ScanPlanned
from cascan.ids import derive_event_id, derive_scan_id
from tests.data.envelopes.build import bus_event, recorded
from tests.integration.handlers.conftest import ColdStart, Function
from tests.integration.handlers.stack import CLUSTER, Stack

SCAN_ID = derive_scan_id("a message")


@pytest.fixture
def on_shards_waiting(stack: Stack, cold_start: ColdStart) -> Function:
    """The function, with a cluster of its own; SHARDS_PER_WORKER is 4."""
    ec2: Any = cast("Any", clients.session()).client("ec2")
    clients.ecs().create_cluster(clusterName=CLUSTER, capacityProviders=["FARGATE", "FARGATE_SPOT"])
    for lane in ("connect", "raw"):
        clients.ecs().register_task_definition(
            family=f"cascan-{lane}",
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="512",
            memory="1024",
            containerDefinitions=[{"name": "worker", "image": "worker", "cpu": 512, "memory": 1024}],
        )
    return cold_start("on_shards_waiting", SUBNETS=ec2.describe_subnets()["Subnets"][0]["SubnetId"])


def queue_shards(stack: Stack, lane: str, count: int) -> None:
    for number in range(count):
        clients.sqs().send_message(QueueUrl=stack.queue_urls[lane], MessageBody=str(number))


def tasks(lane: str) -> list[str]:
    return clients.ecs().list_tasks(cluster=CLUSTER, family=f"cascan-{lane}", desiredStatus="RUNNING")["taskArns"]


def planned(**lanes: int) -> dict[str, Any]:
    event = ScanPlanned(
        scan_id=SCAN_ID,
        cause_id="a message",
        event_id=derive_event_id(SCAN_ID, "planned"),
        at=datetime(2026, 3, 1, 12, 30, tzinfo=UTC),
        name="lan",
        scan_type="nmap",
        addresses=2304,
        shards=sum(lanes.values()),
        lanes=lanes,
    )
    return bus_event(event)


@pytest.mark.parametrize(("waiting", "workers"), [(1, 1), (4, 1), (5, 2), (9, 3)])
def test_a_tick_starts_a_worker_for_every_four_waiting_shards_begun(
    stack: Stack, on_shards_waiting: Function, waiting: int, workers: int
) -> None:
    queue_shards(stack, "connect", waiting)
    assert on_shards_waiting(recorded("tick")) == [
        {"lane": "connect", "waiting": waiting, "running": 0, "launched": workers, "not_started": ()}
    ]
    assert (len(tasks("connect")), len(tasks("raw"))) == (workers, 0)


@pytest.mark.parametrize("again", ["same-id", "another-id"])
def test_a_second_tick_starts_none(stack: Stack, on_shards_waiting: Function, again: str) -> None:
    queue_shards(stack, "raw", 9)
    on_shards_waiting(recorded("tick"))
    after_one = tasks("raw")
    second = recorded("tick") | ({} if again == "same-id" else {"id": again})
    assert on_shards_waiting(second) == [{"lane": "raw", "waiting": 9, "running": 3, "launched": 0, "not_started": ()}]
    assert (len(after_one), tasks("raw")) == (3, after_one)


def test_a_planned_scan_starts_workers_before_its_queue_counts_the_shards(on_shards_waiting: Function) -> None:
    on_shards_waiting(planned(connect=9, raw=1))
    assert (len(tasks("connect")), len(tasks("raw"))) == (3, 1)


def test_a_planned_scan_announced_twice_starts_its_workers_once(on_shards_waiting: Function) -> None:
    on_shards_waiting(planned(connect=9))
    on_shards_waiting(planned(connect=9))
    assert len(tasks("connect")) == 3


def test_a_scan_on_the_express_lane_starts_no_worker(on_shards_waiting: Function) -> None:
    assert on_shards_waiting(planned(express=1)) == []
    assert tasks("connect") == []


def test_a_stopped_worker_is_replaced_while_shards_wait(stack: Stack, on_shards_waiting: Function) -> None:
    queue_shards(stack, "connect", 8)
    on_shards_waiting(recorded("tick"))
    stopped, running = tasks("connect")
    clients.ecs().stop_task(cluster=CLUSTER, task=stopped)
    (lane,) = on_shards_waiting(recorded("task-stopped"))
    assert (lane["running"], lane["launched"]) == (1, 1)
    assert running in tasks("connect")
    assert len(tasks("connect")) == 2


def test_a_worker_that_failed_at_once_is_counted_and_its_reason_logged(
    on_shards_waiting: Function, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[dict[str, Any]] = []
    monkeypatch.setattr(sys.modules["edge"].logger, "error", lambda _, extra: logged.append(extra))
    stopped = recorded("task-stopped")
    on_shards_waiting(stopped | {"detail": stopped["detail"] | {"stoppedAt": "", "stoppedReason": "no image"}})
    assert '"WorkersFailedAtOnce":[1.0]' in capsys.readouterr().out
    assert ["no image" in entry["stopped_reason"] for entry in logged] == [True]


def test_no_worker_is_started_where_nothing_waits(on_shards_waiting: Function) -> None:
    assert on_shards_waiting(recorded("task-stopped")) == []
    assert tasks("connect") == tasks("raw") == []


def test_never_more_workers_run_than_are_allowed(
    stack: Stack, on_shards_waiting: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_WORKERS", "2")  # read by the first event, not by the import
    queue_shards(stack, "connect", 40)
    on_shards_waiting(recorded("tick"))
    assert len(tasks("connect")) == 2


def test_a_lane_that_waits_gets_its_workers_when_the_other_is_full(stack: Stack, on_shards_waiting: Function) -> None:
    queue_shards(stack, "connect", 4)
    on_shards_waiting(recorded("tick"))
    queue_shards(stack, "raw", 4)
    on_shards_waiting(recorded("tick") | {"id": "the next tick"})
    assert (len(tasks("connect")), len(tasks("raw"))) == (1, 1)


def test_an_announcement_that_cannot_be_read_fails_its_call_and_starts_nothing(on_shards_waiting: Function) -> None:
    event = planned(connect=9)
    event["detail"]["lanes"] = ["connect"]
    with pytest.raises(MalformedMessage, match="not a ScanPlanned message"):  # the call is parked in WakeupDLQ
        on_shards_waiting(event)
    assert tasks("connect") == []
