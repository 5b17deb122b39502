"""The roles of the templates against what the code was seen to call: nothing is missing, nothing is granted in vain.

tests/support/recorded_calls.py says where the calls come from, and what is not seen there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from tests.support.policies import Permission, Statement, applies, as_list, find_refusals, judge, matches
from tests.support.recorded_calls import FILE, parse_line, read_lines
from tests.template.model import FUNCTIONS, source_queues
from tests.template.roles import ROLE_OF_FUNCTION, ROLES, policies_of

BUCKET = "Storage/ReportBucket.Arn"
# Who uses these roles is a service of AWS alone.
USED_BY_AWS = {
    "LaunchRole": "ECS pulls the image and opens the log stream with it",
    "MessagesDestinationRole": "EventBridge posts messages with it",
    "SchedulerRole": "EventBridge Scheduler sends what is due with it",
    "ConnectRole": "tasks of the version before have it until they end",
    "RawRole": "tasks of the version before have it until they end",
}
TOGETHER = {"dynamodb:Attributes"}  # a call names several of its values at once
# Granted to the role of a function, and used by Lambda: its resources are the function's own.
USED_BY_LAMBDA = {
    "sqs:ReceiveMessage": "Lambda reads the queue that wakes the function",
    "sqs:DeleteMessage": "Lambda deletes what the function has handled",
    "sqs:GetQueueAttributes": "Lambda reads the queue that wakes the function",
    "logs:CreateLogStream": "Lambda writes what the function logs",
    "logs:PutLogEvents": "Lambda writes what the function logs",
    "xray:PutTelemetryRecords": "Lambda's daemon sends what the tracer recorded",
    "xray:PutTraceSegments": "Lambda's daemon sends what the tracer recorded",
}
# Role, action, resource → why nothing was recorded. All three are patterns.
NOT_RECORDED = {
    ("OnShardsWaitingRole", "sqs:SendMessage", "Messaging/WakeupDLQ.Arn"): "Lambda puts failed calls there",
    ("OnMinutePassedRole", "sqs:SendMessage", "Messaging/WakeupDLQ.Arn"): "Lambda puts failed calls there",
    ("OnMinutePassedRole", "s3:DeleteObject", f"{BUCKET}/*"): (
        "each object is deleted by its version, for which AWS asks s3:DeleteObjectVersion; the emulator asks this"
    ),
    (
        "*",
        "sqs:SendMessage",
        "arn:*:AWS::StackName-vantage-*",
    ): "the recorded runs have no vantage besides the stack itself",
    ("OnShardAbandonedRole", "sqs:*", "arn:*:AWS::StackName-vantage-*-dlq"): "Lambda reads them, where there are any",
    ("*", "s3:AbortMultipartUpload", f"{BUCKET}/scans/*"): "the records of one shard or scan fit into one part",
}

CALLS: dict[str, list[Permission]] = defaultdict(list)
for line in read_lines():
    role_of_line, permission_of_line = parse_line(line)
    CALLS[role_of_line].append(permission_of_line)


def grants(role: str) -> Iterator[Statement]:
    """Each action on each resource that the role allows, under each value of each condition."""
    for statement in policies_of(role):
        if statement["Effect"] != "Allow":
            continue
        values = [
            (operator, key, value)
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
            for value in [[as_list(values)] if key in TOGETHER else as_list(values)]
        ]
        for action, resource in product(as_list(statement["Action"]), as_list(statement["Resource"])):
            for chosen in product(*(value for _, _, value in values)):
                condition: dict[str, dict[str, Any]] = defaultdict(dict)
                for (operator, key, _), value in zip(values, chosen, strict=True):
                    condition[operator][key] = value
                yield {"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition}


def is_used(role: str, grant: Statement) -> bool:
    return any(applies(grant, permission) for permission in CALLS[role])


def find_reasons(role: str, grant: Statement) -> list[tuple[str, str, str]]:
    """The rows of NOT_RECORDED that are about the grant."""
    about = (role, grant["Action"], grant["Resource"])
    return [row for row in NOT_RECORDED if all(matches(*pair) for pair in zip(row, about, strict=True))]


def is_used_by_lambda(role: str, grant: Statement) -> bool:
    """Whether Lambda does it, for the function of this role, to the function's own queue, log group or traces."""
    functions = [name for name, own_role in ROLE_OF_FUNCTION.items() if own_role == role]
    if not functions or grant["Action"] not in USED_BY_LAMBDA:
        return False
    (function,) = functions
    queues = {f"{queue}.Arn" for queue in source_queues(FUNCTIONS[function]).values()}
    return grant["Resource"] in {*queues, f"{FUNCTIONS[function].address}Logs.Arn", "*"}


def describe(role: str, grant: Statement) -> str:
    condition = {key: dict(values) for key, values in grant["Condition"].items()}
    return f"{role}: {grant['Action']} on {grant['Resource']} {condition or ''}".rstrip()


def test_calls_are_recorded_of_every_role_that_code_of_ours_has() -> None:
    assert FILE.exists()
    assert CALLS.keys() == ROLES.keys() - USED_BY_AWS.keys()


@pytest.mark.parametrize("role", ROLES)
def test_a_role_allows_everything_that_was_recorded(role: str) -> None:
    assert find_refusals(policies_of(role), CALLS[role]) == []


@pytest.mark.parametrize("role", [role for role in ROLES if role not in USED_BY_AWS])
def test_a_role_grants_nothing_that_was_not_recorded_without_a_reason(role: str) -> None:
    unused = [grant for grant in grants(role) if not is_used(role, grant) and not is_used_by_lambda(role, grant)]
    assert [describe(role, grant) for grant in unused if not find_reasons(role, grant)] == []


def test_each_reason_is_about_a_grant_that_exists_and_was_not_recorded() -> None:
    unused = {
        row for role in ROLES for grant in grants(role) if not is_used(role, grant) for row in find_reasons(role, grant)
    }
    assert NOT_RECORDED.keys() - unused == set()


@pytest.mark.parametrize("role", ROLES)
def test_each_condition_of_a_role_decides(role: str) -> None:
    """A wrong policy, with another value in one condition, refuses a call that the right one allows."""
    for number, statement in enumerate(policies_of(role)):
        for operator, keys in statement.get("Condition", {}).items():
            for key in keys:
                wrong = {
                    **statement,
                    "Condition": {**statement["Condition"], operator: {**keys, key: "something else"}},
                }
                statements = [*policies_of(role)[:number], wrong, *policies_of(role)[number + 1 :]]
                assert find_refusals(statements, CALLS[role]), f"{key} of {statement}"


def test_the_comparison_sees_a_grant_that_is_missing_and_one_that_is_in_vain() -> None:
    role = "OnShardsWaitingRole"
    for number, statement in enumerate(policies_of(role)):
        if any(is_used(role, grant) for grant in grants(role) if applies_to(statement, grant)):
            others = [*policies_of(role)[:number], *policies_of(role)[number + 1 :]]
            assert find_refusals(others, CALLS[role])
    in_vain = {"Effect": "Allow", "Action": "ecs:StopTask", "Resource": "*", "Condition": {}}
    assert not is_used(role, in_vain)
    assert judge([in_vain], Permission("ecs:StopTask", "anything")).value == "allowed"


def applies_to(statement: Statement, grant: Statement) -> bool:
    return grant["Action"] in as_list(statement["Action"]) and grant["Resource"] in as_list(statement["Resource"])
