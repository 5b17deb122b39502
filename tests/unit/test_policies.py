"""The judge of policies allows what AWS allows, and refuses the same call under a policy that is wrong in one thing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.policies import Permission, Statement, UnknownInPolicy, Verdict, find_refusals, judge

TABLE, BUS, CLUSTER = "Storage/ScanTable.Arn", "Messaging/ScanBus.Arn", "Workers/Cluster.Arn"
TASKS = "arn:AWS::Partition:ecs:AWS::Region:AWS::AccountId:task-definition"


def allow(action: str | list[str], resource: str | list[str], **conditions: Any) -> Statement:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": action, "Resource": resource}
    return statement | ({"Condition": conditions["condition"]} if conditions else {})


def on_items(*keys: str) -> Permission:
    return Permission("dynamodb:PutItem", TABLE, {"dynamodb:leadingkeys": keys})


def leading_keys(operator: str, *values: str) -> Statement:
    return allow("dynamodb:PutItem", TABLE, condition={operator: {"dynamodb:LeadingKeys": list(values)}})


def put_events(source: str) -> Permission:
    return Permission("events:PutEvents", BUS, {"events:source": (source,), "events:detail-type": ("ScanPlanned",)})


RUN_TASK = Permission("ecs:RunTask", f"{TASKS}/AWS::StackName-connect:7", {"ecs:cluster": (CLUSTER,)})
PASS_ROLE = Permission("iam:PassRole", "Workers/RawRole.Arn", {"iam:passedtoservice": ("ecs-tasks.amazonaws.com",)})
IN_CLUSTER = {"ArnEquals": {"ecs:cluster": CLUSTER}}
TO_TASKS = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


@pytest.mark.parametrize(
    ("statement", "permission"),
    [
        (allow("dynamodb:PutItem", TABLE), on_items("scan/a")),
        (allow("dynamodb:Put*", "Storage/*"), on_items("scan/a")),
        (allow("DynamoDB:putitem", TABLE), on_items("scan/a")),
        (allow("dynamodb:PutIte?", TABLE), on_items("scan/a")),
        ({"Effect": "Allow", "NotAction": "s3:*", "NotResource": "Storage/ReportBucket*"}, on_items("scan/a")),
        (leading_keys("ForAllValues:StringLike", "shard/*"), on_items("shard/a")),
        (leading_keys("ForAllValues:StringLike", "shard/*", "stack"), on_items("shard/a", "stack")),
        (leading_keys("ForAllValues:StringEquals", "stack"), on_items("stack")),
        (leading_keys("ForAnyValue:StringLike", "shard/*"), on_items("rules", "shard/a")),
        (allow("events:PutEvents", BUS, condition={"StringEquals": {"events:source": "cascan"}}), put_events("cascan")),
        (allow("ecs:RunTask", f"{TASKS}/AWS::StackName-connect:*", condition=IN_CLUSTER), RUN_TASK),
        (allow("iam:PassRole", ["Workers/LaunchRole.Arn", "Workers/RawRole.Arn"], condition=TO_TASKS), PASS_ROLE),
    ],
)
def test_what_a_policy_grants_is_allowed(statement: Statement, permission: Permission) -> None:
    assert judge([statement], permission) == Verdict.ALLOWED


@pytest.mark.parametrize(
    ("statement", "permission"),
    [
        pytest.param(allow("dynamodb:GetItem", TABLE), on_items("scan/a"), id="another action"),
        pytest.param(allow("dynamodb:PutItem", "Storage/Other.Arn"), on_items("scan/a"), id="another resource"),
        pytest.param(allow("dynamodb:PutItem", f"{TABLE}/index/*"), on_items("scan/a"), id="the index, not the table"),
        pytest.param(
            {"Effect": "Allow", "NotAction": "dynamodb:*", "Resource": "*"}, on_items("scan/a"), id="all actions but it"
        ),
        pytest.param(
            {"Effect": "Allow", "Action": "*", "NotResource": TABLE}, on_items("scan/a"), id="all resources but it"
        ),
        pytest.param(leading_keys("ForAllValues:StringLike", "shard/*"), on_items("rule/a"), id="another leading key"),
        pytest.param(leading_keys("ForAllValues:StringLike", "shard/*"), on_items("Shard/a"), id="case of a key"),
        pytest.param(
            leading_keys("ForAllValues:StringLike", "shard/*"), on_items("shard/a", "rule/a"), id="one key of a batch"
        ),
        pytest.param(leading_keys("ForAllValues:StringEquals", "shard/*"), on_items("shard/a"), id="no wildcard"),
        pytest.param(leading_keys("ForAnyValue:StringLike", "shard/*"), on_items("rule/a"), id="none of the keys"),
        pytest.param(
            allow("events:PutEvents", BUS, condition={"StringEquals": {"events:source": "cascan"}}),
            put_events("aws.s3"),
            id="another source",
        ),
        pytest.param(
            allow("ecs:RunTask", f"{TASKS}/AWS::StackName-raw:*", condition=IN_CLUSTER), RUN_TASK, id="another family"
        ),
        pytest.param(
            allow("ecs:RunTask", f"{TASKS}/AWS::StackName-connect:6", condition=IN_CLUSTER),
            RUN_TASK,
            id="another revision",
        ),
        pytest.param(
            allow("ecs:RunTask", "*", condition={"ArnEquals": {"ecs:cluster": "Other/Cluster.Arn"}}),
            RUN_TASK,
            id="another cluster",
        ),
        pytest.param(allow("iam:PassRole", "Workers/LaunchRole.Arn", condition=TO_TASKS), PASS_ROLE, id="another role"),
        pytest.param(
            allow("iam:PassRole", "*", condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}),
            PASS_ROLE,
            id="passed to another service",
        ),
        pytest.param(
            allow("s3:PutObject", "*", condition={"Bool": {"aws:SecureTransport": "true"}}),
            Permission("s3:PutObject", "bucket/key"),
            id="a key that the call does not have",
        ),
    ],
)
def test_what_a_policy_grants_to_something_else_is_not_allowed(statement: Statement, permission: Permission) -> None:
    assert judge([statement], permission) == Verdict.NOT_GRANTED


def test_a_deny_wins_over_every_allow_and_only_where_it_applies() -> None:
    deny = {**leading_keys("ForAnyValue:StringLike", "rule/*"), "Effect": "Deny"}
    statements = [allow("*", "*"), deny]

    assert judge(statements, on_items("scan/a", "rule/b")) == Verdict.DENIED
    assert judge(statements, on_items("scan/a")) == Verdict.ALLOWED
    assert judge([deny], on_items("scan/a")) == Verdict.NOT_GRANTED


def test_all_values_of_nothing_are_alike_as_aws_has_it() -> None:
    """So a policy with LeadingKeys must never grant Scan: its call has no leading keys."""
    scan = Permission("dynamodb:Scan", TABLE)
    statement = {**leading_keys("ForAllValues:StringLike", "shard/*"), "Action": "dynamodb:*"}

    assert judge([statement], scan) == Verdict.ALLOWED
    needs_key = {**statement, "Condition": {**statement["Condition"], "Null": {"dynamodb:LeadingKeys": "false"}}}
    assert judge([needs_key], scan) == Verdict.NOT_GRANTED
    assert judge([{**needs_key, "Action": "dynamodb:PutItem"}], on_items("shard/a")) == Verdict.ALLOWED


def test_negated_and_optional_operators_hold_for_a_key_that_is_missing() -> None:
    put = Permission("s3:PutObject", "bucket/key")
    for operator in ("StringNotEquals", "StringNotLike", "StringEqualsIfExists", "ArnNotLike"):
        statement = allow("s3:PutObject", "*", condition={operator: {"aws:SourceAccount": "1"}})
        assert judge([statement], put) == Verdict.ALLOWED


def test_a_wildcard_of_an_arn_condition_ends_at_a_colon() -> None:
    source = Permission("sqs:SendMessage", "queue", {"aws:sourcearn": ("arn:aws:events:eu-central-1:1:rule/a:b",)})
    for pattern, is_alike in (
        ("arn:aws:events:*:1:rule/*", True),
        ("arn:aws:*:1:rule/*", False),
        ("arn:aws:events:*:2:rule/*", False),
    ):
        statement = allow("sqs:SendMessage", "*", condition={"ArnLike": {"aws:SourceArn": pattern}})
        assert (judge([statement], source) == Verdict.ALLOWED) == is_alike


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(allow("s3:*", "*", condition={"StringEquals": {"s3:prefix": "a"}}), id="key"),
        pytest.param(allow("s3:*", "*", condition={"NumericEquals": {"aws:SourceAccount": "1"}}), id="operator"),
        pytest.param(
            allow("s3:*", "*", condition={"ForMost:StringLike": {"aws:SourceAccount": "1"}}), id="set operator"
        ),
        pytest.param(allow("s3:*", "bucket/${aws:username}/*"), id="policy variable in a resource"),
        pytest.param(
            leading_keys("ForAllValues:StringLike", "${aws:PrincipalTag/scan}"), id="policy variable in a condition"
        ),
        pytest.param(leading_keys("StringLike", "scan/*"), id="several values under an operator for one"),
        pytest.param({**allow("*", "*"), "NotPrincipal": "*"}, id="element"),
        pytest.param({**allow("*", "*"), "Effect": "allow"}, id="effect"),
        pytest.param({"Effect": "Allow", "Resource": "*"}, id="no action"),
        pytest.param({**allow("*", "*"), "NotResource": "a"}, id="resource and its negation"),
    ],
)
def test_what_the_judge_does_not_know_fails_instead_of_allowing_or_refusing(statement: Statement) -> None:
    with pytest.raises(UnknownInPolicy):
        judge([statement], on_items("scan/a"))


def test_a_condition_key_of_a_call_that_is_unknown_fails() -> None:
    with pytest.raises(UnknownInPolicy, match="aws:username"):
        Permission("s3:GetObject", "key", {"aws:username": ("me",)})


def test_a_refusal_names_the_action_the_resource_and_the_keys() -> None:
    assert find_refusals([leading_keys("ForAllValues:StringLike", "shard/*")], [on_items("rule/a")]) == [
        f"not granted: dynamodb:PutItem {TABLE} dynamodb:leadingkeys=rule/a"
    ]
