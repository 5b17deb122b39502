"""Each call is known by the permissions that it needs, and a call that is not known fails."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.aws_calls import ResourceNames, UnknownCall, find_permissions, find_permissions_of_error

NAMES = ResourceNames(
    tables={"t": "table"},
    buckets={"b": "bucket"},
    queues={"https://q": "queue"},
    buses={"bus": "the-bus"},
    clusters={"c": "cluster"},
    task_definitions={"connect": "tasks/connect"},
    task_roles={"connect": ("launch", "work")},
    tasks="task/c/",
    schedules="group/",
    schedule_role="scheduler",
)


def needed(service: str, operation: str, **request: Any) -> list[str]:
    return [str(permission) for permission in find_permissions(service, operation, request, NAMES)]


def key(pk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": "x"}}


def test_an_item_has_its_partition_as_leading_key() -> None:
    assert needed("dynamodb", "DeleteItem", TableName="t", Key=key("scan/a")) == [
        "dynamodb:DeleteItem table dynamodb:leadingkeys=scan/a"
    ]


def test_a_read_and_a_change_have_the_attributes_that_they_name() -> None:
    names = {"#a": "state", "#b": "lease_until"}
    about = {"TableName": "t", "Key": key("scan/a"), "ExpressionAttributeNames": names}
    keys = "dynamodb:attributes=pk,sk,state,lease_until dynamodb:leadingkeys=scan/a"

    assert needed("dynamodb", "UpdateItem", **about) == [f"dynamodb:UpdateItem table {keys}"]
    assert needed("dynamodb", "GetItem", **about, ProjectionExpression="#a, #b") == [
        f"dynamodb:GetItem table {keys} dynamodb:select=SPECIFIC_ATTRIBUTES"
    ]
    assert needed("dynamodb", "GetItem", TableName="t", Key=key("scan/a")) == [
        "dynamodb:GetItem table dynamodb:attributes=pk,sk dynamodb:leadingkeys=scan/a dynamodb:select=ALL_ATTRIBUTES"
    ]


def test_a_put_has_the_partition_of_its_item_as_leading_key() -> None:
    assert needed("dynamodb", "PutItem", TableName="t", Item=key("scan/a") | {"body": {"S": ""}}) == [
        "dynamodb:PutItem table dynamodb:leadingkeys=scan/a"
    ]


@pytest.mark.parametrize("rest", ["", " AND begins_with(sk, :prefix)", " AND sk <= :now"])
def test_a_query_has_the_partition_that_it_reads_as_leading_key(rest: str) -> None:
    values = {":pk": {"S": "agenda"}, ":now": {"S": "z"}}
    query = {"TableName": "t", "KeyConditionExpression": f"pk = :pk{rest}", "ExpressionAttributeValues": values}

    assert needed("dynamodb", "Query", **query) == ["dynamodb:Query table dynamodb:leadingkeys=agenda"]
    assert needed("dynamodb", "Query", **query, IndexName="listing") == [
        "dynamodb:Query table/index/listing dynamodb:leadingkeys=agenda"
    ]


def test_a_batch_has_every_partition_as_leading_key_once() -> None:
    keys = [key("scan/a"), key("scan/b"), key("scan/a")]
    changes: list[dict[str, Any]] = [{"PutRequest": {"Item": key("scan/a")}}, {"DeleteRequest": {"Key": key("stack")}}]

    assert needed("dynamodb", "BatchGetItem", RequestItems={"t": {"Keys": keys}}) == [
        "dynamodb:BatchGetItem table dynamodb:leadingkeys=scan/a,scan/b"
    ]
    assert needed("dynamodb", "BatchWriteItem", RequestItems={"t": changes}) == [
        "dynamodb:BatchWriteItem table dynamodb:leadingkeys=scan/a,stack"
    ]


def test_a_transaction_needs_the_action_of_each_part_on_its_own_partition() -> None:
    parts = [
        {"Put": {"TableName": "t", "Item": key("scan/a")}},
        {"Update": {"TableName": "t", "Key": key("scan/b")}},
        {"Delete": {"TableName": "t", "Key": key("agenda")}},
        {"ConditionCheck": {"TableName": "t", "Key": key("stack")}},
    ]

    assert needed("dynamodb", "TransactWriteItems", TransactItems=parts) == [
        "dynamodb:PutItem table dynamodb:leadingkeys=scan/a",
        "dynamodb:UpdateItem table dynamodb:attributes=pk,sk dynamodb:leadingkeys=scan/b",
        "dynamodb:DeleteItem table dynamodb:leadingkeys=agenda",
        "dynamodb:ConditionCheckItem table dynamodb:leadingkeys=stack",
    ]


def test_a_scan_of_the_table_has_no_leading_key() -> None:
    assert needed("dynamodb", "Scan", TableName="t") == ["dynamodb:Scan table"]


def test_an_upload_in_parts_needs_what_a_put_needs() -> None:
    for operation in ("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"):
        assert needed("s3", operation, Bucket="b", Key="reports/a") == ["s3:PutObject bucket/reports/a"]
    assert needed("s3", "AbortMultipartUpload", Bucket="b", Key="reports/a") == [
        "s3:AbortMultipartUpload bucket/reports/a"
    ]


def test_listing_needs_the_bucket_and_deleting_a_version_its_own_action() -> None:
    entries = [{"Key": "scans/a"}, {"Key": "scans/b", "VersionId": "1"}]

    assert needed("s3", "ListObjectsV2", Bucket="b", Prefix="scans/") == ["s3:ListBucket bucket"]
    assert needed("s3", "DeleteObjects", Bucket="b", Delete={"Objects": entries}) == [
        "s3:DeleteObject bucket/scans/a",
        "s3:DeleteObjectVersion bucket/scans/b",
    ]


def test_that_a_key_does_not_exist_is_said_to_who_may_list() -> None:
    request = {"Bucket": "b", "Key": "reports/a"}

    for operation, code in (("GetObject", "NoSuchKey"), ("HeadObject", "404")):
        found = find_permissions_of_error("s3", operation, request, code, NAMES)
        assert list(map(str, found)) == ["s3:ListBucket bucket"]
    assert list(find_permissions_of_error("s3", "GetObject", request, "InvalidRange", NAMES)) == []


def test_a_batch_of_messages_needs_what_one_message_needs() -> None:
    assert needed("sqs", "SendMessageBatch", QueueUrl="https://q") == ["sqs:SendMessage queue"]


def test_each_event_needs_its_own_source() -> None:
    entry = {"EventBusName": "bus", "DetailType": "ScanPlanned"}

    assert needed("events", "PutEvents", Entries=[entry | {"Source": "cascan"}, entry | {"Source": "x"}]) == [
        "events:PutEvents the-bus events:detail-type=ScanPlanned events:source=cascan",
        "events:PutEvents the-bus events:detail-type=ScanPlanned events:source=x",
    ]


@pytest.mark.parametrize("task", ["connect:3", "arn:aws:ecs:eu-central-1:1:task-definition/connect:3"])
def test_a_task_is_run_as_a_revision_in_a_cluster_and_is_passed_its_roles(task: str) -> None:
    assert needed("ecs", "RunTask", cluster="c", taskDefinition=task) == [
        "ecs:RunTask tasks/connect:3 ecs:cluster=cluster",
        "iam:PassRole launch iam:passedtoservice=ecs-tasks.amazonaws.com",
        "iam:PassRole work iam:passedtoservice=ecs-tasks.amazonaws.com",
    ]


def test_a_task_that_gets_tags_is_tagged_as_it_is_created() -> None:
    tagged = needed("ecs", "RunTask", cluster="c", taskDefinition="connect:3", propagateTags="TASK_DEFINITION")
    assert tagged[1] == "ecs:TagResource task/c/new ecs:createaction=RunTask"


def test_a_schedule_is_passed_its_role_unless_it_is_deleted() -> None:
    assert needed("scheduler", "CreateSchedule", Name="s") == [
        "scheduler:CreateSchedule group/s",
        "iam:PassRole scheduler iam:passedtoservice=scheduler.amazonaws.com",
    ]
    assert needed("scheduler", "DeleteSchedule", Name="s") == ["scheduler:DeleteSchedule group/s"]


@pytest.mark.parametrize(
    ("service", "operation", "request_"),
    [
        ("dynamodb", "Scan", {"TableName": "t", "IndexName": "listing"}),
        ("dynamodb", "Query", {"TableName": "t", "KeyConditionExpression": "sk > :a AND pk = :b"}),
        ("s3", "PutObject", {"Bucket": "b", "Key": "k", "Tagging": "a=b"}),
        ("s3", "GetObject", {"Bucket": "b", "Key": "k", "VersionId": "1"}),
        ("s3", "PutBucketPolicy", {"Bucket": "b"}),
        ("sqs", "PurgeQueue", {"QueueUrl": "https://q"}),
        ("events", "PutRule", {"Name": "r"}),
        ("ecs", "StopTask", {"cluster": "c"}),
        ("ecs", "RunTask", {"cluster": "c", "taskDefinition": "connect:1", "overrides": {"taskRoleArn": "another"}}),
        ("scheduler", "GetSchedule", {"Name": "s"}),
        ("sts", "AssumeRole", {}),
        ("kms", "Decrypt", {}),
    ],
)
def test_a_call_that_is_not_known_fails(service: str, operation: str, request_: dict[str, Any]) -> None:
    with pytest.raises(UnknownCall):
        needed(service, operation, **request_)


def test_a_resource_that_is_not_of_the_stack_fails() -> None:
    with pytest.raises(KeyError):
        needed("sqs", "SendMessage", QueueUrl="https://another")
