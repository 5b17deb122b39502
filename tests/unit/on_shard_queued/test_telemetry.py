"""What a worker tells of its shards: metrics in its log, segments to X-Ray, and never an error of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from cascan.errors import GatewayUnavailable
from cascan.log_context import add_log_context, clear_log_context
from cascan.model.shard import Lane
from on_shard_queued import worker
from on_shard_queued.worker import WorkerTelemetry
from tests.support.builders import SCAN_ID

ON_ECS = {"METRICS_STACK": "mine", "ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/x"}


@pytest.fixture(autouse=True)
def context() -> Iterator[None]:
    add_log_context(scan_id=SCAN_ID, shard=2, attempt=1, trace_id="1-6b0cdb5f-9a5062fd62e222493665ce2e")
    yield
    clear_log_context()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, Any]]:
    segments: list[Mapping[str, Any]] = []
    monkeypatch.setattr(worker, "put_segment", segments.append)
    return segments


def test_figures_become_metrics_of_the_worker_and_its_lane_and_of_nothing_more(
    capsys: pytest.CaptureFixture[str],
) -> None:
    WorkerTelemetry(Lane.RAW, ON_ECS).count({"ShardsRun": 1, "NmapSeconds": 2.5})
    line = json.loads(capsys.readouterr().out)
    (directive,) = line["_aws"]["CloudWatchMetrics"]

    assert (directive["Namespace"], set(directive["Dimensions"][0])) == ("cascan", {"service", "stack", "lane"})
    assert [line[name] for name in ("service", "stack", "lane")] == ["worker", "mine", "raw"]
    assert {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]} == {
        "ShardsRun": "Count",
        "NmapSeconds": "Seconds",
    }
    assert (line["ShardsRun"], line["NmapSeconds"]) == ([1.0], [2.5])
    assert (line["scan_id"], line["shard"]) == (SCAN_ID, 2)  # to find the line by


def test_the_ids_of_one_shard_are_not_in_the_next_ones_line(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry = WorkerTelemetry(Lane.RAW, ON_ECS)
    telemetry.count({"ShardsRun": 1})
    clear_log_context()
    telemetry.count({"ClaimsLost": 1})

    assert "shard" not in json.loads(capsys.readouterr().out.splitlines()[1])


def test_a_task_on_ecs_sends_a_segment_for_each_message(sent: list[Mapping[str, Any]]) -> None:
    WorkerTelemetry(Lane.RAW, ON_ECS).trace(1.0, failed=True)

    assert [(each["name"], each["fault"], each["annotations"]["shard"]) for each in sent] == [("worker", True, 2)]


def test_a_worker_elsewhere_sends_none(sent: list[Mapping[str, Any]]) -> None:
    WorkerTelemetry(Lane.RAW, {}).trace(1.0, failed=False)

    assert sent == []


def test_a_worker_that_does_not_reach_xray_tries_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Mapping[str, Any]] = []

    def fail(segment: Mapping[str, Any]) -> None:
        tried.append(segment)
        raise GatewayUnavailable("traces: no route")

    monkeypatch.setattr(worker, "put_segment", fail)
    telemetry = WorkerTelemetry(Lane.CONNECT, ON_ECS)
    telemetry.trace(1.0, failed=False)
    telemetry.trace(2.0, failed=False)

    assert len(tried) == 1
