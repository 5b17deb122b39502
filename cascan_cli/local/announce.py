"""Deliver `ECS Task State Change` of a stopped task to the functions that listen for it.

On AWS, ECS puts this event on the account's default bus. The emulator does not, and it refuses
events with a source of AWS from other senders. So this finds the rules that match the event, and
invokes their functions.
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
TASK_FIELDS = (
    "clusterArn",
    "taskArn",
    "taskDefinitionArn",
    "capacityProviderName",
    "stoppedReason",
)


def _select_task_fields(task: TaskTypeDef) -> dict[str, Any]:
    fields: Mapping[str, Any] = dict(task)
    return {name: fields[name] for name in TASK_FIELDS if name in fields}


def build_stopped_event(task: TaskTypeDef, exit_code: int) -> dict[str, Any]:
    """The event of a task whose only container has ended.

    Source: Amazon ECS, task state change events.
    """
    arn = task["taskArn"]
    _, _, _, region, account, _ = arn.split(":", 5)
    task_fields = _select_task_fields(task)
    now = datetime.now(UTC).isoformat()
    stopped_container = {"lastStatus": "STOPPED", "exitCode": exit_code}
    names = [container["name"] for container in task["containers"]]
    containers = [{"name": name, **stopped_container} for name in names]
    ended = {
        "lastStatus": "STOPPED",
        "desiredStatus": "STOPPED",
        "stopCode": "EssentialContainerExited",
    }
    times = {"createdAt": task["createdAt"].isoformat(), "stoppedAt": now}
    return {
        "version": "0",
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{arn}/stopped")),  # a task ends once
        "source": SOURCE,
        "detail-type": DETAIL_TYPE,
        "account": account,
        "region": region,
        "time": now,
        "resources": [arn],
        "detail": task_fields | ended | times | {"containers": containers},
    }


class TaskListeners:
    """The functions that rules of the default bus invoke for an event.

    The rules are read for every event.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        session, options = open_session(endpoint), client_options(endpoint)
        self._events: EventBridgeClient = session.client("events", **options)
        self._functions: LambdaClient = session.client("lambda", **options)

    def notify(self, event: Mapping[str, Any]) -> None:
        """Invoke them.

        Raises: ClientError, BotoCoreError: not all were invoked; the next tick does the same work.
        """
        payload = json.dumps(event)
        for arn in self._find_functions(payload):
            self._functions.invoke(FunctionName=arn, InvocationType="Event", Payload=payload)

    def close(self) -> None:
        self._events.close()
        self._functions.close()

    def _find_functions(self, payload: str) -> Iterator[str]:
        for page in self._events.get_paginator("list_rules").paginate():
            for rule in page["Rules"]:
                if self._is_match(rule.get("EventPattern"), payload):
                    yield from self._list_functions(rule["Name"])

    def _is_match(self, pattern: str | None, payload: str) -> bool:
        if not pattern:
            return False
        return self._events.test_event_pattern(EventPattern=pattern, Event=payload)["Result"]

    def _list_functions(self, rule: str) -> Iterator[str]:
        for target in self._events.list_targets_by_rule(Rule=rule)["Targets"]:
            service = target["Arn"].split(":")[2]
            if service == "lambda":
                yield target["Arn"]
