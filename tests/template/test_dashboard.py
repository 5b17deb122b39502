"""The dashboard shows what the alarms watch."""

from __future__ import annotations

import json
import re
from typing import Any

from on_shard_queued.run_shard import ShardRun
from tests.template.model import FUNCTIONS, MODEL, QUEUES, ROOT
from tests.template.test_alarms import ALARMS, metrics_of

(DASHBOARD,) = MODEL.resources("AWS::CloudWatch::Dashboard")
BODY: dict[str, Any] = json.loads(MODEL.text(DASHBOARD.properties["DashboardBody"], DASHBOARD.stack))
SHOWN = [
    (metric[0], metric[1], dict(zip(metric[2::2], metric[3::2], strict=False)))
    for widget in BODY["widgets"]
    for metric in widget["properties"]["metrics"]
    if isinstance(metric[0], str)  # not an expression over other metrics
]
OF_SHARDS = {*ShardRun(scan_id="", shard=0, did="").figures, "ClaimsLost", "HeartbeatsFailed"}


def shown(namespace: str, name: str) -> set[str]:
    """The values of the first dimension."""
    return {next(iter(dimensions.values())) for of, called, dimensions in SHOWN if (of, called) == (namespace, name)}


def test_what_an_alarm_watches_is_shown() -> None:
    watched = {(of, name) for alarm in ALARMS.values() for of, name, _ in metrics_of(alarm)}
    missing = watched - {(of, name) for of, name, _ in SHOWN}

    assert missing == {  # events of a kind that is told one by one: the alarm is all there is to see
        ("AWS/Lambda", "Invocations"),
        ("cascan", "ScheduledScansMissed"),
        ("cascan", "CascadesCapped"),
    }


def test_every_function_and_every_queue_that_each_stack_has_is_shown() -> None:
    functions = {f"root/{name}" for name, function in FUNCTIONS.items() if "Condition" not in function.body}
    assert shown("AWS/Lambda", "Errors") == functions
    queues = shown("AWS/SQS", "ApproximateAgeOfOldestMessage") | shown("AWS/SQS", "ApproximateNumberOfMessagesVisible")
    optional = {queue for queue in QUEUES if queue.startswith("HubImports/")}
    assert {queue.removesuffix(".QueueName") for queue in queues} == set(QUEUES) - optional


def test_a_metric_of_a_function_is_one_that_it_counts() -> None:
    for namespace, name, dimensions in SHOWN:
        if dimensions.get("service") in ("worker", "on_shard_queued"):
            assert name in OF_SHARDS
        elif namespace == "cascan":
            code = (MODEL.paths[ROOT].parent / "functions" / dimensions["service"] / "app.py").read_text()
            assert re.search(rf'count\("{name}"', code), name


def test_every_figure_of_the_workers_is_shown_for_both_lanes() -> None:
    shown_lanes: dict[str, set[str]] = {name: set() for name in OF_SHARDS}
    for _, name, dimensions in SHOWN:
        if dimensions.get("service") == "worker":
            shown_lanes[name].add(dimensions["lane"])

    assert shown_lanes == {name: {"connect", "raw"} for name in OF_SHARDS}


def test_widgets_do_not_overlap() -> None:
    places = [(widget["x"] + x, widget["y"] + y) for widget in BODY["widgets"] for x in range(12) for y in range(6)]

    assert len(places) == len(set(places))
    assert all(x < 24 for x, _ in places)  # CloudWatch's grid
