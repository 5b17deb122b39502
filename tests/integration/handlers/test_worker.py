"""The process of a Fargate task, on moto: it drains the queue of its lane with what the role of its task allows."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from cascan.aws import clients, trace_segments
from cascan.aws.s3.report_store import S3ReportStore
from cascan.errors import GatewayUnavailable
from cascan.ids import ReportKey
from cascan.model.shard import Lane, ShardState, TargetSlice
from cascan.scans.transitions import StopReason
from on_shard_queued import drain, heartbeat, worker
from on_shard_queued.heartbeat import Heartbeat
from tests.integration.handlers.conftest import acts_as
from tests.integration.handlers.stack import Stack
from tests.integration.handlers.test_on_shard_queued import port, shard  # noqa: F401 - port is a fixture
from tests.support.builders import SCAN_ID, a_scan, shard_queued

TRACE_ID = "1-6b0cdb5f-9a5062fd62e222493665ce2e"
MESSAGE = shard_queued().to_wire()
TRACED_MESSAGE = shard_queued(trace_id=TRACE_ID).to_wire()
LANES = [Lane.CONNECT, Lane.RAW]
RunWorker = Callable[..., None]


@pytest.fixture
def run_worker(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> RunWorker:
    """Runs the worker of a lane until its queue is empty; keyword arguments are variables of its environment."""
    monkeypatch.setattr(drain, "LONGEST_WAIT_S", 0)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(trace_segments, "_xray", lambda: clients.session().client("xray"))
    monkeypatch.setattr(worker, "find_raw_socket_problem", lambda _: "")

    def run(lane: Lane, **variables: str) -> None:
        environment = {
            "LANE": lane,
            "SHARD_QUEUE_URL": stack.queue_urls[lane],
            "IDLE_EXIT_S": "0",
            "SHARD_TIMEOUT_S": "3600",
            "ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/x",  # where it is, traces are sent
        }
        for name, value in (stack.environment() | environment | variables).items():
            monkeypatch.setenv(name, value)
        with acts_as(f"{lane.title()}WorkerRole", stack.resource_names()):
            assert worker.main() == 0

    return run


def send(stack: Stack, lane: Lane, body: str = MESSAGE) -> None:
    clients.sqs().send_message(QueueUrl=stack.queue_urls[lane], MessageBody=body)


def waiting(stack: Stack, lane: Lane) -> int:
    """How many messages the lane's queue has, whether or not they are hidden."""
    answer = clients.sqs().get_queue_attributes(QueueUrl=stack.queue_urls[lane], AttributeNames=["All"])
    counts = answer["Attributes"]
    return int(counts["ApproximateNumberOfMessages"]) + int(counts["ApproximateNumberOfMessagesNotVisible"])


@pytest.mark.parametrize("lane", LANES)
def test_a_message_becomes_a_report_and_one_that_cannot_be_read_is_parked(
    stack: Stack,
    run_worker: RunWorker,
    lane: Lane,
    port: int,  # noqa: F811 - the fixture
) -> None:
    stack.store(a_scan(trace_id=TRACE_ID), shard("-p", str(port), lane=lane))
    send(stack, lane, "no message")
    send(stack, lane, TRACED_MESSAGE)
    run_worker(lane)
    assert stack.keys() == [str(ReportKey(SCAN_ID, 0, 1))]
    assert stack.shard(SCAN_ID).state is ShardState.REPORTED
    assert [record["body"] for record in stack.received("returned")] == ["no message"]
    assert stack.received(lane) == []


def test_a_heartbeat_holds_the_message_and_the_shard_while_nmap_runs(
    stack: Stack,
    run_worker: RunWorker,
    port: int,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heartbeat, "HEARTBEAT_S", 0.0)
    beats: list[int] = []
    beat = type(stack.table).beat

    def counted_beat(*arguments: object, **fields: object) -> bool:
        beats.append(1)
        return bool(beat(*arguments, **fields))  # type: ignore[arg-type]

    monkeypatch.setattr(type(stack.table), "beat", counted_beat)
    stack.store(a_scan(), shard("-p", f"{port},1-3", "--scan-delay", "400ms", lane=Lane.CONNECT))
    send(stack, Lane.CONNECT)
    run_worker(Lane.CONNECT)
    assert beats
    assert stack.shard(SCAN_ID).state is ShardState.REPORTED


@pytest.mark.parametrize("lane", LANES)
def test_the_message_of_a_shard_whose_report_could_not_be_stored_returns_to_the_queue(
    stack: Stack,
    run_worker: RunWorker,
    lane: Lane,
    port: int,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unavailable(*_: object) -> None:
        raise GatewayUnavailable("the bucket is down")

    stack.store(a_scan(), shard("-p", str(port), lane=lane))
    send(stack, lane)
    with monkeypatch.context() as patch:
        patch.setattr(S3ReportStore, "put_report", unavailable)
        run_worker(lane)
    assert stack.keys() == []
    assert waiting(stack, lane) == 1


@pytest.mark.parametrize("lane", LANES)
def test_a_shard_whose_nmap_is_not_there_is_returned_with_a_failure(
    stack: Stack, run_worker: RunWorker, lane: Lane
) -> None:
    stack.store(a_scan(), shard("-p", "22", lane=lane, backoff_limit=1))
    send(stack, lane)
    run_worker(lane, NMAP_COMMAND="/nowhere/nmap")
    (returned,) = (json.loads(record["body"]) for record in stack.received("returned"))
    assert (returned["shard"], returned["attempt"], returned["failed"]) == (0, 1, True)


@pytest.mark.parametrize("lane", LANES)
def test_a_worker_that_must_end_keeps_finished_hosts_and_leaves_the_others_to_another_worker(
    stack: Stack, run_worker: RunWorker, lane: Lane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_signal: dict[int, Callable[[int, None], None]] = {}
    monkeypatch.setattr("signal.signal", on_signal.__setitem__)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    beat_if_due = Heartbeat._beat_if_due

    def stop_after_a_host(self: Heartbeat) -> StopReason | None:
        if any(b"</host>" in report.read_bytes() for report in tmp_path.glob("shard-*/report.xml")):
            on_signal[signal.SIGTERM](signal.SIGTERM, None)
        return beat_if_due(self)

    monkeypatch.setattr(Heartbeat, "_beat_if_due", stop_after_a_host)
    slow = ("-p", "1-30", "--scan-delay", "20ms", "--max-hostgroup", "1")  # 0.6 s a host
    stack.store(a_scan(), shard(*slow, slices=(TargetSlice("127.0.0.1-100", 0, 100),), addresses=100, lane=lane))
    send(stack, lane)
    run_worker(lane, ALLOWED_TARGETS="127.0.0.0/8")
    done = stack.shard(SCAN_ID)
    assert (done.state, done.addresses) == (ShardState.REPORTED, 100)
    assert done.cut
    assert done.run
    assert 0 < done.run.addresses == 100 - sum(each.stop - each.start for each in done.cut.remaining)
