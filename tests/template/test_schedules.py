"""Schedules, as far as only the template can show them: the emulator asks for no role and parks nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from moto.events.models import EventPattern

from tests.template.model import FUNCTIONS, MODEL, ROOT, RULES, variables


@pytest.mark.parametrize(
    ("detail_type", "labels", "heard"),
    [
        ("ScanCompleted", {"cascan/schedule": "nightly", "team": "blue"}, True),
        ("ScanFailed", {"cascan/schedule": "nightly"}, True),
        ("ScanCancelled", {"cascan/schedule": "nightly"}, True),
        ("ScanCompleted", {"team": "blue"}, False),
        ("ScanPlanned", {"cascan/schedule": "nightly"}, False),
    ],
)
def test_the_ends_of_scheduled_scans_are_heard_and_nothing_else(
    detail_type: str, labels: dict[str, str], heard: bool
) -> None:
    pattern: Any = EventPattern.load(json.dumps(RULES["Messaging/ScheduledScanEndedRule"].pattern))
    event = {"source": "cascan", "detail-type": detail_type, "detail": {"labels": labels}}
    assert pattern.matches_event(event) is heard


def test_what_schedules_need_to_be_made_with_is_an_output() -> None:
    outputs = {name: MODEL.text(one["Value"], ROOT) for name, one in MODEL.templates[ROOT]["Outputs"].items()}
    wanted = {
        "ScheduleGroupName": "Messaging/ScheduleGroup",
        "ScheduleQueueArn": "Messaging/ScheduleQueue.Arn",
        "ScheduleDLQArn": "Messaging/ScheduleDLQ.Arn",
        "SchedulerRoleArn": "Messaging/SchedulerRole.Arn",
    }
    assert wanted.items() <= outputs.items()


def test_s6_the_tick_knows_what_each_scan_type_is_made_of_and_comes_after_it() -> None:
    function = FUNCTIONS["OnMinutePassed"]
    nmap, scanner = variables(function.properties)["SCAN_TYPE_NMAP"]["Fn::Sub"]
    assert nmap == "${Nmap} ${WorkerImageTag} ${PolicyProfile}"
    assert scanner == {"Nmap": {"Fn::If": ["BundlesNmap", {"Ref": "NmapLayer"}, {"Ref": "NmapCommand"}]}}
    privileged = variables(function.properties)["SCAN_TYPE_NMAP_PRIVILEGED"]["Fn::Sub"]
    assert privileged == "${NmapCommand} ${WorkerImageTag} ${PolicyProfile}"
    after = MODEL.templates[ROOT]["Resources"]["OnMinutePassed"]["DependsOn"]
    assert set(after) == {"OnScanRequested", "OnShardsWaiting", "OnShardQueued", "Workers"}
