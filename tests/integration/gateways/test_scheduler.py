"""EventBridgeScheduler, on moto: what EventBridge Scheduler is told of a scheduled scan."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from cascan.aws import clients
from cascan.aws.scheduler import EventBridgeScheduler
from cascan.model.schedule import Schedule
from tests.support.builders import NOW

GROUP = "stack-Schedules"
QUEUE, DLQ = "arn:aws:sqs:eu-central-1:123456789012:due", "arn:aws:sqs:eu-central-1:123456789012:dead"
ROLE = "arn:aws:iam::123456789012:role/scheduler"
NIGHTLY = Schedule(name="nightly", scan={}, is_manifest=True, cron="30 2 * * *", time_zone="Europe/Berlin")


@pytest.fixture
def scheduler(aws: None) -> Iterator[EventBridgeScheduler]:
    clients.scheduler.cache_clear()
    clients.scheduler().create_schedule_group(Name=GROUP)
    yield EventBridgeScheduler(GROUP, queue_arn=QUEUE, role_arn=ROLE, dlq_arn=DLQ)
    clients.scheduler.cache_clear()


def told(name: str = "nightly") -> dict[str, Any]:
    return dict(clients.scheduler().get_schedule(GroupName=GROUP, Name=name))


def names() -> list[str]:
    return sorted(one["Name"] for one in clients.scheduler().list_schedules(GroupName=GROUP)["Schedules"])


def test_a_schedule_fires_in_its_time_zone_into_the_queue_with_a_bounded_retry_and_a_dead_letter_queue(
    scheduler: EventBridgeScheduler,
) -> None:
    scheduler.put(NIGHTLY, NOW, NOW)
    there, target = told(), told()["Target"]
    assert (there["ScheduleExpression"], there["ScheduleExpressionTimezone"]) == ("cron(30 2 * * ? *)", "Europe/Berlin")
    assert (there["State"], there["FlexibleTimeWindow"]) == ("ENABLED", {"Mode": "OFF"})
    assert (target["Arn"], target["RoleArn"], target["DeadLetterConfig"]) == (QUEUE, ROLE, {"Arn": DLQ})
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 20, "MaximumEventAgeInSeconds": 3600}
    assert json.loads(target["Input"]) == {"schedule": "nightly", "dueAt": "<aws.scheduler.scheduled-time>"}


def test_a_changed_schedule_takes_the_place_of_the_one_before(scheduler: EventBridgeScheduler) -> None:
    scheduler.put(NIGHTLY, NOW, NOW)
    scheduler.put(replace(NIGHTLY, suspend=True, flexible_minutes=15), NOW, NOW)
    assert names() == ["nightly"]
    assert told()["State"] == "DISABLED"
    assert told()["FlexibleTimeWindow"] == {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}


def test_an_interval_begins_one_interval_after_the_schedules_creation_since_the_first_run_is_at_once(
    scheduler: EventBridgeScheduler,
) -> None:
    scheduler.put(replace(NIGHTLY, cron="", interval_minutes=90), NOW, NOW + timedelta(minutes=100))
    assert told()["ScheduleExpression"] == "rate(90 minutes)"
    assert told()["StartDate"] == NOW + timedelta(minutes=180)


def test_where_both_day_fields_are_restricted_two_schedules_stand_for_one_and_go_with_it(
    scheduler: EventBridgeScheduler,
) -> None:
    both = replace(NIGHTLY, cron="0 0 13 * 5")
    scheduler.put(both, NOW, NOW)
    assert [told(name)["ScheduleExpression"] for name in names()] == ["cron(0 0 13 * ? *)", "cron(0 0 ? * 6 *)"]
    scheduler.put(NIGHTLY, NOW, NOW)
    assert names() == ["nightly"]
    scheduler.put(both, NOW, NOW)
    for _ in range(2):
        scheduler.delete("nightly")
    assert names() == []
