"""`ECS Task State Change` of a task that ended, told to the functions that listen for it.

On AWS, ECS puts the event on the account's default bus. The emulator puts none, and takes no event of AWS's own from
anybody else: so the bus is asked which of its rules match, and the functions behind these are called.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cascan_cli.local.aws import client_options, open_session

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import TaskTypeDef
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient

    from cascan_cli.local.endpoint import Endpoint

SOURCE, DETAIL_TYPE = "aws.ecs", "ECS Task State Change"
TASK_FIELDS = ("clusterArn", "taskArn", "taskDefinitionArn", "capacityProviderName", "stoppedReason")


def build_stopped_event(task: TaskTypeDef, exit_code: int) -> dict[str, Any]:
    """The envelope, about a task whose one container ended. Source: Amazon ECS, task state change events."""
    arn = task["taskArn"]
    _, _, _, region, account, _ = arn.split(":", 5)
    about: dict[str, Any] = {name: task[name] for name in TASK_FIELDS if name in task}  # type: ignore[literal-required]  # TOLD's
    now = datetime.now(UTC).isoformat()
    containers = [{"name": of["name"], "lastStatus": "STOPPED", "exitCode": exit_code} for of in task["containers"]]
    ended = {"lastStatus": "STOPPED", "desiredStatus": "STOPPED", "stopCode": "EssentialContainerExited"}
    times = {"createdAt": task["createdAt"].isoformat(), "stoppedAt": now}
    return {
        "version": "0",
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{arn}/stopped")),  # one task ends once
        "source": SOURCE,
        "detail-type": DETAIL_TYPE,
        "account": account,
        "region": region,
        "time": now,
        "resources": [arn],
        "detail": about | ended | times | {"containers": containers},
    }


class TaskListeners:
    """Who is told of a stopped task: the functions behind the rules of the default bus, asked anew each time."""

    def __init__(self, endpoint: Endpoint) -> None:
        session, options = open_session(endpoint), client_options(endpoint)
        self._events: EventBridgeClient = session.client("events", **options)
        self._functions: LambdaClient = session.client("lambda", **options)

    def tell(self, event: Mapping[str, Any]) -> None:
        """Raises: ClientError, BotoCoreError: somebody may not have heard; the tick of the minute comes anyway."""
        payload = json.dumps(event)
        for arn in self._of(payload):
            self._functions.invoke(FunctionName=arn, InvocationType="Event", Payload=payload)

    def close(self) -> None:
        self._events.close()
        self._functions.close()

    def _of(self, payload: str) -> Iterator[str]:
        for page in self._events.get_paginator("list_rules").paginate():
            for rule in page["Rules"]:
                pattern = rule.get("EventPattern")
                if pattern and self._events.test_event_pattern(EventPattern=pattern, Event=payload)["Result"]:
                    for target in self._events.list_targets_by_rule(Rule=rule["Name"])["Targets"]:
                        if target["Arn"].split(":")[2] == "lambda":
                            yield target["Arn"]
