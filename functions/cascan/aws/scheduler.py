"""EventBridgeScheduler: the times of scheduled scans, in the stack's schedule group.

Each scheduled scan has one schedule there. It has two if its cron expression restricts both day
fields, since EventBridge Scheduler accepts only one of them. Each schedule sends its name and the
time to the schedule queue.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cascan.aws import clients
from cascan.aws.boundary import error_code, translate_errors
from cascan.model.schedule import Schedule
from cascan.schedules.due import build_target_input, next_interval
from cascan.timing.cron import Cron

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

GATEWAY = "scheduler"
SECOND = "_2"  # the names of scheduled scans have no underscore
RETRIES, RETRY_FOR_S = 20, 3_600  # a run that is an hour late is skipped


class EventBridgeScheduler:
    def __init__(self, group: str, *, queue_arn: str, role_arn: str, dlq_arn: str) -> None:
        self._group = group
        self._target = {
            "Arn": queue_arn,
            "RoleArn": role_arn,
            "DeadLetterConfig": {"Arn": dlq_arn},
            "RetryPolicy": {
                "MaximumRetryAttempts": RETRIES,
                "MaximumEventAgeInSeconds": RETRY_FOR_S,
            },
        }

    def put(self, schedule: Schedule, created_at: datetime, now: datetime) -> None:
        """Make the schedule fire from now on. A suspended schedule is stored, and does not fire."""
        requests = list(self._build_requests(schedule, created_at, now))
        for name, request in zip((schedule.name, schedule.name + SECOND), requests, strict=False):
            self._put(name, request)
        if len(requests) == 1:
            self._remove(schedule.name + SECOND)

    def delete(self, name: str) -> None:
        """Remove the schedule; it need not exist."""
        for schedule_name in (name + SECOND, name):
            self._remove(schedule_name)

    def _build_requests(
        self,
        schedule: Schedule,
        created_at: datetime,
        now: datetime,
    ) -> list[dict[str, Any]]:
        minutes = schedule.flexible_minutes
        window: dict[str, Any] = {"Mode": "OFF"}
        if minutes:
            window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": minutes}
        request: dict[str, Any] = {
            "GroupName": self._group,
            "Target": self._target | {"Input": build_target_input(schedule.name)},
            "State": "DISABLED" if schedule.suspend else "ENABLED",
            "FlexibleTimeWindow": window,
            "ScheduleExpressionTimezone": schedule.time_zone,
        }
        if schedule.cron:
            expressions = Cron.parse(schedule.cron).to_scheduler_expressions()
            return [request | {"ScheduleExpression": expression} for expression in expressions]
        rate = {
            "ScheduleExpression": f"rate({schedule.interval_minutes} minutes)",
            # The first run is requested when the schedule is created, without the Scheduler.
            "StartDate": next_interval(schedule, created_at, now),
        }
        return [request | rate]

    def _put(self, name: str, request: dict[str, Any]) -> None:
        with translate_errors(GATEWAY):
            try:
                self._client.update_schedule(Name=name, **request)
            except ClientError as exc:
                if error_code(exc) != "ResourceNotFoundException":
                    raise
                self._client.create_schedule(Name=name, **request)

    def _remove(self, name: str) -> None:
        with translate_errors(GATEWAY):
            try:
                self._client.delete_schedule(GroupName=self._group, Name=name)
            except ClientError as exc:
                if error_code(exc) != "ResourceNotFoundException":
                    raise

    @property
    def _client(self) -> EventBridgeSchedulerClient:
        return clients.scheduler()
