"""Which permissions a call of AWS needs: its actions, their resources, and the values of condition keys.

Source: AWS's Service Authorization Reference, and what the API reference of each operation says. A transaction needs
the actions of its parts, SendMessageBatch needs SendMessage, an upload in parts needs PutObject. An operation or a form
of a request that is missing here raises `UnknownCall`: nothing is left out of a comparison by accident.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.support.policies import Permission

Request = Mapping[str, Any]
PARTITION_KEY = re.compile(r"\s*(#?\w+)\s*=\s*(:\w+)(?:\s+AND\s.*)?", re.DOTALL)
PASSED_TO_TASKS, PASSED_TO_SCHEDULER = "ecs-tasks.amazonaws.com", "scheduler.amazonaws.com"
S3_ACTIONS = {
    "AbortMultipartUpload": "AbortMultipartUpload",
    "CompleteMultipartUpload": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "DeleteObject": "DeleteObject",
    "GetObject": "GetObject",
    "HeadObject": "GetObject",
    "PutObject": "PutObject",
    "UploadPart": "PutObject",
}
S3_BUCKET_ACTIONS = {"ListObjectsV2": "ListBucket", "ListObjectVersions": "ListBucketVersions"}
SQS_ACTIONS = {
    "ChangeMessageVisibility",
    "DeleteMessage",
    "GetQueueAttributes",
    "ReceiveMessage",
    "SendMessage",
}
ROLES_OF_A_TASK = {"executionRoleArn", "taskRoleArn"}  # RunTask may pass others than the definition's
DYNAMODB_ACTIONS = {"DeleteItem", "GetItem", "PutItem", "UpdateItem"}
SCHEDULER_ACTIONS = {"CreateSchedule", "DeleteSchedule", "UpdateSchedule"}
NOT_FOUND = {"404", "NoSuchKey"}


class UnknownCall(Exception):
    """The permissions of this call are not known here."""


@dataclass(frozen=True)
class ResourceNames:
    """From the names in requests to resources as policies have them. An unknown name is a KeyError."""

    tables: Mapping[str, str] = field(default_factory=dict)
    buckets: Mapping[str, str] = field(default_factory=dict)
    queues: Mapping[str, str] = field(default_factory=dict)  # by URL
    buses: Mapping[str, str] = field(default_factory=dict)
    clusters: Mapping[str, str] = field(default_factory=dict)
    task_definitions: Mapping[str, str] = field(default_factory=dict)  # by family, without the revision
    task_roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # that RunTask passes, by family
    tasks: str = ""  # of the cluster, with a trailing slash
    schedules: str = ""  # of the group, with a trailing slash
    schedule_role: str = ""
    stack: str = ""
    repositories: Mapping[str, str] = field(default_factory=dict)
    hub: str = ""  # of Security Hub
    hub_products: Mapping[str, str] = field(default_factory=dict)  # of Security Hub, by ARN


def find_permissions(service: str, operation: str, request: Request, names: ResourceNames) -> Iterator[Permission]:
    """What a call needs. Raises: UnknownCall: it has to be added here."""
    known = PERMISSIONS.get(service)
    if known is None:
        raise UnknownCall(f"{service}:{operation}")
    yield from known(operation, request, names)


def find_permissions_of_error(
    service: str, operation: str, request: Request, code: str, names: ResourceNames
) -> Iterator[Permission]:
    """What a call needs so that it fails as it did: without s3:ListBucket, S3 hides that a key does not exist."""
    if service == "s3" and operation in ("GetObject", "HeadObject") and code in NOT_FOUND:
        yield Permission("s3:ListBucket", names.buckets[request["Bucket"]])


def _in_table(operation: str, request: Request, names: ResourceNames) -> Iterator[Permission]:
    if operation == "TransactWriteItems":
        for action in request["TransactItems"]:
            ((kind, part),) = action.items()
            yield _on_items(f"{kind}Item", part, [part], names)
    elif operation == "BatchGetItem":
        for table, part in request["RequestItems"].items():
            keys = [{"Key": key} for key in part["Keys"]]
            yield _on_items(operation, {"TableName": table}, keys, names)
    elif operation == "BatchWriteItem":
        for table, parts in request["RequestItems"].items():
            changes = [change for part in parts for change in part.values()]
            yield _on_items(operation, {"TableName": table}, changes, names)
    elif operation == "Query":
        yield _by_partition(request, names)
    elif operation == "Scan" and "IndexName" not in request:  # it has no leading key: policies see none
        yield Permission("dynamodb:Scan", names.tables[request["TableName"]])
    elif operation in DYNAMODB_ACTIONS:
        yield _on_items(operation, request, [request], names)
    else:
        raise UnknownCall(f"dynamodb:{operation}")


def _on_items(action: str, request: Request, items: list[Any], names: ResourceNames) -> Permission:
    """`items` have the key, or the whole item, of each item that the call is about."""
    keys = dict.fromkeys((item.get("Key") or item["Item"])["pk"]["S"] for item in items)
    context = {"dynamodb:leadingkeys": tuple(keys)}
    if action in ("GetItem", "UpdateItem"):
        named = request.get("ExpressionAttributeNames", {}).values()
        context["dynamodb:attributes"] = tuple(dict.fromkeys((*request["Key"], *named)))
    if action == "GetItem":
        context["dynamodb:select"] = ("SPECIFIC_ATTRIBUTES" if "ProjectionExpression" in request else "ALL_ATTRIBUTES",)
    return Permission(f"dynamodb:{action}", names.tables[request["TableName"]], context)


def _by_partition(query: Request, names: ResourceNames) -> Permission:
    index = f"/index/{query['IndexName']}" if "IndexName" in query else ""
    keys = {"dynamodb:leadingkeys": (_read_partition(query),)}
    return Permission("dynamodb:Query", names.tables[query["TableName"]] + index, keys)


def _read_partition(query: Request) -> str:
    """The value that the partition key is compared with; of an index, the index's own."""
    match = PARTITION_KEY.fullmatch(query["KeyConditionExpression"])
    if match is None:
        raise UnknownCall(f"a query by {query['KeyConditionExpression']}")
    return str(query["ExpressionAttributeValues"][match[2]]["S"])


def _in_bucket(operation: str, request: Request, names: ResourceNames) -> Iterator[Permission]:
    bucket = names.buckets[request["Bucket"]]
    if operation in S3_BUCKET_ACTIONS:
        yield Permission(f"s3:{S3_BUCKET_ACTIONS[operation]}", bucket)
    elif operation == "DeleteObjects":
        for entry in request["Delete"]["Objects"]:
            yield Permission(f"s3:DeleteObject{'Version' if 'VersionId' in entry else ''}", f"{bucket}/{entry['Key']}")
    elif operation in S3_ACTIONS and not {"VersionId", "Tagging", "ACL", "CopySource"} & request.keys():
        yield Permission(f"s3:{S3_ACTIONS[operation]}", f"{bucket}/{request['Key']}")
    else:
        raise UnknownCall(f"s3:{operation} with {sorted(request)}")


def _in_queue(operation: str, request: Request, names: ResourceNames) -> Iterator[Permission]:
    action = operation.removesuffix("Batch")
    if action not in SQS_ACTIONS:
        raise UnknownCall(f"sqs:{operation}")
    yield Permission(f"sqs:{action}", names.queues[request["QueueUrl"]])


def _on_bus(operation: str, request: Request, names: ResourceNames) -> Iterator[Permission]:
    if operation != "PutEvents":
        raise UnknownCall(f"events:{operation}")
    for entry in request["Entries"]:
        keys = {"events:source": (entry["Source"],), "events:detail-type": (entry["DetailType"],)}
        yield Permission("events:PutEvents", names.buses[entry["EventBusName"]], keys)


def _in_cluster(operation: str, request: Request, names: ResourceNames) -> Iterator[Permission]:
    cluster = names.clusters[request["cluster"]]
    keys = {"ecs:cluster": (cluster,)}
    if operation == "ListTasks":
        yield Permission("ecs:ListTasks", "*", keys)
    elif operation == "DescribeTasks":
        for task in request["tasks"]:
            yield Permission("ecs:DescribeTasks", names.tasks + task.rpartition("/")[2], keys)
    elif operation == "RunTask" and not request.get("overrides", {}).keys() & ROLES_OF_A_TASK:
        family, _, revision = request["taskDefinition"].rpartition("/")[2].partition(":")
        yield Permission("ecs:RunTask", f"{names.task_definitions[family]}:{revision}", keys)
        if request.get("propagateTags"):
            yield Permission("ecs:TagResource", f"{names.tasks}new", {"ecs:createaction": ("RunTask",)})
        for role in names.task_roles[family]:
            yield Permission("iam:PassRole", role, {"iam:passedtoservice": (PASSED_TO_TASKS,)})
    else:
        raise UnknownCall(f"ecs:{operation} with {sorted(request)}")


def _of_schedules(operation: str, request: Request, names: ResourceNames) -> Iterator[Permission]:
    if operation not in SCHEDULER_ACTIONS:
        raise UnknownCall(f"scheduler:{operation}")
    yield Permission(f"scheduler:{operation}", names.schedules + request["Name"])
    if operation != "DeleteSchedule":
        yield Permission("iam:PassRole", names.schedule_role, {"iam:passedtoservice": (PASSED_TO_SCHEDULER,)})


def _of_stack(operation: str, request: Request, names: ResourceNames) -> Iterator[Permission]:
    if operation not in ("DescribeStacks", "DescribeStackResource"):
        raise UnknownCall(f"cloudformation:{operation}")
    yield Permission(f"cloudformation:{operation}", names.stack)


def _in_repository(operation: str, request: Request, names: ResourceNames) -> Iterator[Permission]:
    if operation != "DescribeImages":
        raise UnknownCall(f"ecr:{operation}")
    yield Permission("ecr:DescribeImages", names.repositories[request["repositoryName"]])


def _in_security_hub(operation: str, request: Request, names: ResourceNames) -> Iterator[Permission]:
    if operation == "DescribeHub":
        yield Permission("securityhub:DescribeHub", names.hub)
        return
    if operation != "BatchImportFindings":
        raise UnknownCall(f"securityhub:{operation}")
    for product in {finding["ProductArn"] for finding in request["Findings"]}:
        yield Permission("securityhub:BatchImportFindings", names.hub_products[product])


# Actions that know no resource, by the service as boto3 calls it.
ON_EVERYTHING = {
    "cloudwatch": {"GetMetricData": "cloudwatch:GetMetricData"},
    "ec2": {
        "DescribeRouteTables": "ec2:DescribeRouteTables",
        "DescribeSubnets": "ec2:DescribeSubnets",
        "DescribeVpcEndpoints": "ec2:DescribeVpcEndpoints",
    },
    "service-quotas": {
        "GetAWSDefaultServiceQuota": "servicequotas:GetAWSDefaultServiceQuota",
        "GetServiceQuota": "servicequotas:GetServiceQuota",
    },
    "xray": {"PutTraceSegments": "xray:PutTraceSegments"},
}


def _on_everything(service: str, operation: str, request: Request, names: ResourceNames) -> Iterator[Permission]:
    if operation not in ON_EVERYTHING[service]:
        raise UnknownCall(f"{service}:{operation}")
    yield Permission(ON_EVERYTHING[service][operation], "*")


def _of_identity(operation: str, request: Request, names: ResourceNames) -> Iterator[Permission]:
    if operation != "GetCallerIdentity":  # needs no permission
        raise UnknownCall(f"sts:{operation}")
    yield from ()


FindPermissions = Callable[[str, Request, ResourceNames], Iterator[Permission]]


def _of_parameter(operation: str, request: Request, _names: ResourceNames) -> Iterator[Permission]:
    if operation != "GetParameter":
        raise UnknownCall(f"ssm:{operation}")
    name = "/AWS::StackName/" + request["Name"].split("/", 2)[2]
    yield Permission("ssm:GetParameter", f"arn:AWS::Partition:ssm:AWS::Region:AWS::AccountId:parameter{name}")


PERMISSIONS: dict[str, FindPermissions] = {
    "cloudformation": _of_stack,
    "dynamodb": _in_table,
    "ecr": _in_repository,
    "ecs": _in_cluster,
    "events": _on_bus,
    "s3": _in_bucket,
    "scheduler": _of_schedules,
    "securityhub": _in_security_hub,
    "sqs": _in_queue,
    "ssm": _of_parameter,
    "sts": _of_identity,
}
PERMISSIONS.update({service: partial(_on_everything, service) for service in ON_EVERYTHING})
