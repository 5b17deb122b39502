"""Least privilege: each role may do what its code does, to the resources it uses, and nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from tests.support.aws_calls import ResourceNames, find_permissions
from tests.support.policies import find_refusals
from tests.template.model import FUNCTIONS, MODEL, ROOT, Resource, Statement, as_list, source_queues
from tests.template.roles import policies_of, role_of
from tests.template.transformed import transform

TABLE, BUS = "Storage/ScanTable.Arn", "Messaging/ScanBus.Arn"
RETURNED = "Messaging/ReturnedShardQueue.Arn"
INDEX = "Storage/ScanTable.Arn/index/listing"
REPORTS, RESULTS = "Storage/ReportBucket.Arn/reports/*", "Storage/ReportBucket.Arn/results/*"
RECORDS, HOUSE = "Storage/ReportBucket.Arn/scans/*", "Storage/ReportBucket.Arn/house/*"
DRAIN = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"}
CLAIM = {"dynamodb:GetItem", "dynamodb:UpdateItem"}  # of its shards alone: see the tests of a stolen worker
EARLIER_CLAIM = CLAIM | {"dynamodb:PutItem"}
RELEASE = {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"}  # and what is due
RECORD = RELEASE | {"dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:DeleteItem"}  # pages of a record
SEND = {f"Messaging/{lane}ShardQueue.Arn": {"sqs:SendMessage"} for lane in ("Express", "Connect", "Raw")}
SEND["arn:AWS::Partition:sqs:AWS::Region:AWS::AccountId:AWS::StackName-vantage-*"] = {"sqs:SendMessage"}
VANTAGE_DLQS = "arn:AWS::Partition:sqs:AWS::Region:AWS::AccountId:AWS::StackName-vantage-*-dlq"
WAKE = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}  # what Lambda does to a function's queue
TRACE = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
FORGET = {"s3:DeleteObject", "s3:DeleteObjectVersion"}
UPLOAD = {"s3:PutObject", "s3:AbortMultipartUpload"}
ECS = "arn:AWS::Partition:ecs:AWS::Region:AWS::AccountId"
TASKS = f"{ECS}:task-definition"
HUB_PRODUCT = "arn:AWS::Partition:securityhub:AWS::Region:AWS::AccountId:product/AWS::AccountId/default"
START_LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
PULL = {"ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"}

# A transaction asks for the actions of its parts, SendMessageBatch for SendMessage, a multipart upload for PutObject.
EXPECTED: dict[str, dict[str, set[str]]] = {
    "OnScanRequestedRole": {
        TABLE: RELEASE,
        RECORDS: UPLOAD,
        **SEND,
        BUS: {"events:PutEvents"},
    },
    "OnShardsWaitingRole": {
        "Messaging/ConnectShardQueue.Arn": {"sqs:GetQueueAttributes"},
        "Messaging/RawShardQueue.Arn": {"sqs:GetQueueAttributes"},
        TABLE: {"dynamodb:GetItem"},
        "*": {"ecs:ListTasks"},
        f"{ECS}:task/Workers/Cluster/*": {"ecs:DescribeTasks", "ecs:TagResource"},
        f"{TASKS}/AWS::StackName-connect:*": {"ecs:RunTask"},  # of the nested stack: any revision of the family
        f"{TASKS}/AWS::StackName-raw:*": {"ecs:RunTask"},
        "Workers/LaunchRole.Arn": {"iam:PassRole"},
        "Workers/ConnectWorkerRole.Arn": {"iam:PassRole"},
        "Workers/RawWorkerRole.Arn": {"iam:PassRole"},
        "Messaging/WakeupDLQ.Arn": {"sqs:SendMessage"},
    },
    "OnShardQueuedRole": {
        TABLE: CLAIM,
        REPORTS: UPLOAD,
        RETURNED: {"sqs:SendMessage"},
    },
    "OnReportStoredRole": {
        REPORTS: {"s3:GetObject"},
        "Storage/ReportBucket.Arn": {"s3:ListBucket"},
        RECORDS: {"s3:PutObject"},
        TABLE: RECORD,
        INDEX: {"dynamodb:Query"},
        **SEND,
        "Messaging/ReportQueue.Arn": {"sqs:SendMessage"},  # a report that takes several turns
        BUS: {"events:PutEvents"},
    },
    "OnShardAbandonedRole": {
        TABLE: RELEASE | {"dynamodb:DeleteItem"},  # a shard of the earlier layout is moved
        INDEX: {"dynamodb:Query"},
        **SEND,
        "Messaging/ParkedShards.Arn": {"sqs:SendMessage"},
        BUS: {"events:PutEvents"},
        VANTAGE_DLQS: WAKE,
    },
    "OnControlRequestedRole": {
        TABLE: RELEASE | {"dynamodb:DeleteItem"},
        INDEX: {"dynamodb:Query"},
        RECORDS: {"s3:PutObject"},
        HOUSE: {"s3:PutObject"},
        **SEND,
        BUS: {"events:PutEvents"},
    },
    "OnScheduleDueRole": {
        TABLE: RELEASE | {"dynamodb:DeleteItem"},
        "Messaging/RequestQueue.Arn": {"sqs:SendMessage"},
        "Messaging/ControlQueue.Arn": {"sqs:SendMessage"},
        BUS: {"events:PutEvents"},
    },
    "OnVulsResultsStoredRole": {
        TABLE: {"dynamodb:GetItem", "dynamodb:Query"},
        REPORTS: {"s3:GetObject"},
        "Storage/ReportBucket.Arn": {"s3:ListBucket"},
        "Storage/ReportBucket.Arn/vuls/*": {"s3:GetObject"},
        **{f"Storage/ReportBucket.Arn/vuls/{name}/*": {"s3:PutObject"} for name in ("asked", "summaries", "answers")},
        "Messaging/RequestQueue.Arn": {"sqs:SendMessage"},
    },
    "SchedulerRole": {
        "Messaging/ScheduleQueue.Arn": {"sqs:SendMessage"},
        "Messaging/ScheduleDLQ.Arn": {"sqs:SendMessage"},
    },
    "OnMinutePassedRole": {
        TABLE: RELEASE | {"dynamodb:BatchWriteItem", "dynamodb:DeleteItem"},
        INDEX: {"dynamodb:Query"},
        "Storage/ReportBucket.Arn": {"s3:ListBucketVersions"},
        REPORTS: FORGET,
        RESULTS: FORGET,
        RECORDS: FORGET,
        **SEND,
        "Messaging/ScheduleQueue.Arn": {"sqs:SendMessage"},
        "Messaging/ExposureQueue.Arn": {"sqs:SendMessage"},
        "Messaging/WakeupDLQ.Arn": {"sqs:SendMessage"},
        BUS: {"events:PutEvents"},
    },
    "OnScanCompletedRole": {
        TABLE: {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query"},
        INDEX: {"dynamodb:Query"},  # earlier scans of a series, and exposures
        REPORTS: {"s3:GetObject"},
        "Storage/ReportBucket.Arn": {"s3:ListBucket"},
        RESULTS: UPLOAD,
        RECORDS: UPLOAD,
        "Messaging/RequestQueue.Arn": {"sqs:SendMessage"},
        BUS: {"events:PutEvents"},
    },
    "OnExposureDueRole": {
        TABLE: RELEASE | {"dynamodb:BatchGetItem"},
        INDEX: {"dynamodb:Query"},
        "Messaging/RequestQueue.Arn": {"sqs:SendMessage"},
        "Messaging/ExposureQueue.Arn": {"sqs:SendMessage"},
        BUS: {"events:PutEvents"},
    },
    "OnHubImportDueRole": {
        TABLE: {"dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"},
        HUB_PRODUCT: {"securityhub:BatchImportFindings"},
        "HubImports/ImportQueue.Arn": {"sqs:SendMessage"},
        "HubImports/ImportDLQ.Arn": {"sqs:SendMessage"},
    },
    "OnMessageDueRole": {
        TABLE: {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"},
        INDEX: {"dynamodb:Query"},
        "Messaging/MessageQueue.Arn": {"sqs:SendMessage"},
        "arn:AWS::Partition:ssm:AWS::Region:AWS::AccountId:parameter/AWS::StackName/messages/*": {"ssm:GetParameter"},
        BUS: {"events:PutEvents"},
    },
    "MessagesDestinationRole": {"Messaging/MessagesDestination.Arn": {"events:InvokeApiDestination"}},
    "LaunchRole": {
        "*": {"ecr:GetAuthorizationToken"},
        "Workers/WorkerRepository.Arn": PULL,
        "Workers/WorkerLogs.Arn": START_LOGS,
    },
    # Of tasks that an update found running; gone with the next release.
    "ConnectRole": {
        "Messaging/ConnectShardQueue.Arn": DRAIN | {"sqs:SendMessage"},
        "Messaging/ConnectShardDLQ.Arn": {"sqs:SendMessage"},
        TABLE: EARLIER_CLAIM,
        REPORTS: UPLOAD,
        RECORDS: UPLOAD,
        "*": {"xray:PutTraceSegments"},
    },
    "RawRole": {
        "Messaging/RawShardQueue.Arn": DRAIN | {"sqs:SendMessage"},
        "Messaging/RawShardDLQ.Arn": {"sqs:SendMessage"},
        TABLE: EARLIER_CLAIM,
        REPORTS: UPLOAD,
        RECORDS: UPLOAD,
        "*": {"xray:PutTraceSegments"},
    },
    "ConnectWorkerRole": {
        "Messaging/ConnectShardQueue.Arn": DRAIN,
        RETURNED: {"sqs:SendMessage"},
        TABLE: CLAIM,
        REPORTS: UPLOAD,
        "*": {"xray:PutTraceSegments"},
    },
    "RawWorkerRole": {
        "Messaging/RawShardQueue.Arn": DRAIN,
        RETURNED: {"sqs:SendMessage"},
        TABLE: CLAIM,
        REPORTS: UPLOAD,
        "*": {"xray:PutTraceSegments"},
    },
}
ON_EVERYTHING = {
    "ecs:ListTasks": "its one resource is a container instance, which Fargate has none of; pinned to the cluster",
    "ecr:GetAuthorizationToken": "the token is the account's: the action knows no resource",
    "xray:PutTelemetryRecords": "X-Ray's writing actions know no resource",
    "xray:PutTraceSegments": "X-Ray's writing actions know no resource",
}
ROLES = MODEL.resources("AWS::IAM::Role")
RUN_NMAP = ("OnShardQueuedRole", "ConnectWorkerRole", "RawWorkerRole")
IN_OWN_SUBNETS = {"WorkerSubnets": "subnet-1", "WorkerSecurityGroups": "sg-1", "WorkerPublicIp": "DISABLED"}


def statements_of(role: Resource, **parameters: str) -> list[Statement]:
    policies = MODEL.chosen(role.properties["Policies"], role.stack, parameters)
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def every_statement() -> Iterator[tuple[Resource, Statement]]:
    for role in ROLES:
        for statement in statements_of(role):
            yield role, statement


def granted_to(role: Resource) -> dict[str, set[str]]:
    """Resource → actions."""
    granted: dict[str, set[str]] = defaultdict(set)
    for statement in statements_of(role):
        assert statement["Effect"] == "Allow"
        for resource in MODEL.texts(statement["Resource"], role.stack):
            granted[resource] |= set(as_list(statement["Action"]))
    return granted


def expected_of(role: Resource) -> dict[str, set[str]]:
    """The table's row, and for a function its queues, its log group and its traces."""
    expected = defaultdict(set, {resource: set(actions) for resource, actions in EXPECTED[role.name].items()})
    function = FUNCTIONS.get(role.name.removesuffix("Role"))
    if function:
        for queue in source_queues(function).values():
            expected[f"{queue}.Arn"] |= WAKE
        expected[f"{function.address}Logs.Arn"] |= START_LOGS
        expected["*"] |= TRACE
    return expected


def statements_with(action: str) -> list[tuple[Resource, Statement]]:
    found = [(owner, one) for owner, one in every_statement() if action in as_list(one["Action"])]
    assert found
    return found


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_role_may_do_what_its_code_does_and_nothing_else(role: Resource) -> None:
    assert granted_to(role) == expected_of(role)


def test_messages_are_sent_to_the_operators_topic_and_to_no_other() -> None:
    role = role_of(FUNCTIONS["OnMessageDue"])
    topic = "arn:aws:sns:eu-central-1:123456789012:changes"
    (grant,) = (one for one in statements_of(role, MessagesTopicArn=topic) if one["Action"] == "sns:Publish")
    assert grant == {"Effect": "Allow", "Action": "sns:Publish", "Resource": {"Ref": "MessagesTopicArn"}}


def test_every_role_has_its_line_in_the_table_and_every_line_its_role() -> None:
    assert {role.name for role in ROLES} == set(EXPECTED)


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_each_function_has_a_role_of_its_own_and_sam_adds_nothing_to_it(function: Resource) -> None:
    """SAM would add managed policies on every queue and log group of the account to a role that it makes itself."""
    assert role_of(function).name == f"{function.name}Role"
    assert "Policies" not in function.properties


def test_cloudformation_is_given_the_roles_as_they_are_written_and_no_others() -> None:
    """Of the transformed template: what these tests say of template.yaml is true of what is deployed."""
    transformed = transform()["Resources"]
    written = MODEL.templates[ROOT]["Resources"]
    roles = {name: resource for name, resource in transformed.items() if resource["Type"] == "AWS::IAM::Role"}

    assert roles == {name: resource for name, resource in written.items() if resource["Type"] == "AWS::IAM::Role"}
    functions = {name: one for name, one in transformed.items() if one["Type"] == "AWS::Lambda::Function"}
    assert functions.keys() == FUNCTIONS.keys()
    for name, function in functions.items():
        assert function["Properties"]["Role"] == {"Fn::GetAtt": [f"{name}Role", "Arn"]}
    assert not {one["Type"] for one in transformed.values()} & {"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"}


def test_no_role_has_a_managed_policy() -> None:
    for role in ROLES:
        assert not {"ManagedPolicyArns", "PermissionsBoundary"} & role.properties.keys()


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_role_of_a_function_is_assumed_by_lambda_alone(function: Resource) -> None:
    (statement,) = role_of(function).properties["AssumeRolePolicyDocument"]["Statement"]

    assert (statement["Effect"], statement["Action"]) == ("Allow", "sts:AssumeRole")
    assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}


def test_lambda_makes_the_network_interfaces_of_the_express_function_and_its_code_may_not() -> None:
    role = role_of(FUNCTIONS["OnShardQueued"])
    allow, deny = (
        statement
        for statement in statements_of(role, **IN_OWN_SUBNETS)
        if all(action.startswith("ec2:") for action in as_list(statement["Action"]))
    )

    assert (allow["Effect"], deny["Effect"]) == ("Allow", "Deny")
    assert set(allow["Action"]) == set(deny["Action"])
    assert allow["Resource"] == deny["Resource"] == "*"
    (code,) = deny["Condition"]["ArnLike"].values()
    assert list(deny["Condition"]["ArnLike"]) == ["lambda:SourceFunctionArn"]
    assert MODEL.text(code, ROOT).endswith(":function:AWS::StackName-OnShardQueued-*")


def test_no_action_is_a_pattern() -> None:
    for role, statement in every_statement():
        assert not [action for action in as_list(statement["Action"]) if "*" in action], role.name
        assert not {"NotAction", "NotResource"} & statement.keys()


def test_everything_is_the_resource_of_actions_that_know_no_narrower_one() -> None:
    on_everything = {
        action
        for owner, statement in every_statement()
        if "*" in MODEL.texts(statement["Resource"], owner.stack)
        for action in as_list(statement["Action"])
    }

    assert on_everything == set(ON_EVERYTHING)


def test_whoever_puts_events_speaks_as_cascan() -> None:
    for _, statement in statements_with("events:PutEvents"):
        assert statement["Condition"] == {"StringEquals": {"events:source": "cascan"}}


def test_roles_are_passed_to_tasks_of_ecs_alone() -> None:
    for _, statement in statements_with("iam:PassRole"):
        assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


def test_tasks_are_tagged_as_they_start_and_never_later() -> None:
    for _, statement in statements_with("ecs:TagResource"):
        assert statement["Condition"] == {"StringEquals": {"ecs:CreateAction": "RunTask"}}


@pytest.mark.parametrize("action", ["ecs:RunTask", "ecs:ListTasks"])
def test_tasks_are_started_and_counted_in_the_cluster_of_this_stack_alone(action: str) -> None:
    for owner, statement in statements_with(action):
        (cluster,) = statement["Condition"]["ArnEquals"].values()
        assert list(statement["Condition"]["ArnEquals"]) == ["ecs:cluster"]
        assert MODEL.text(cluster, owner.stack) == "Workers/Cluster.Arn"


@pytest.mark.parametrize("role", RUN_NMAP)
def test_whoever_runs_nmap_stores_reports_and_reads_nothing_back(role: str) -> None:
    in_bucket = [one for one in policies_of(role) if "s3:" in str(one["Action"])]
    assert [(set(one["Action"]), one["Resource"]) for one in in_bucket] == [(UPLOAD, REPORTS)]


@pytest.mark.parametrize("role", RUN_NMAP)
def test_whoever_runs_nmap_sends_to_one_queue(role: str) -> None:
    sending = [one["Resource"] for one in policies_of(role) if "sqs:SendMessage" in as_list(one["Action"])]
    assert sending == [RETURNED]


KEY = {"pk": {"S": f"shard/{'a' * 16}"}, "sk": {"S": "000001/token"}}
STOLEN: dict[str, tuple[str, dict[str, object]]] = {  # what a stolen worker may try
    "query the shards of a scan": (
        "Query",
        {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": KEY["pk"]}},
    ),
    "read a scan, with its secret": ("GetItem", {"Key": {"pk": {"S": "scan/a"}, "sk": {"S": "scan"}}}),
    "read the secret of a scan alone": (
        "GetItem",
        {
            "Key": {"pk": {"S": "scan/a"}, "sk": {"S": "scan"}},
            "ProjectionExpression": "#s",
            "ExpressionAttributeNames": {"#s": "shard_secret"},
        },
    ),
    "change a scan": (
        "UpdateItem",
        {"Key": {"pk": {"S": "scan/a"}, "sk": {"S": "scan"}}, "ExpressionAttributeNames": {"#state": "state"}},
    ),
    "change the targets of its shard": ("UpdateItem", {"Key": KEY, "ExpressionAttributeNames": {"#body": "body"}}),
    "make a shard": ("PutItem", {"Item": KEY}),
    "remove a shard": ("DeleteItem", {"Key": KEY}),
    "read a finding": ("GetItem", {"Key": {"pk": {"S": "findings/a"}, "sk": {"S": "b"}}}),
    "read the severity rules": ("GetItem", {"Key": {"pk": {"S": "stack"}, "sk": {"S": "severity"}}}),
    "lift a halt": ("DeleteItem", {"Key": {"pk": {"S": "stack"}, "sk": {"S": "switch"}}}),
}


@pytest.mark.parametrize("role", RUN_NMAP)
@pytest.mark.parametrize("attempt", STOLEN)
def test_a_stolen_worker_may_not(role: str, attempt: str) -> None:
    assert is_refused(policies_of(role), *STOLEN[attempt])


def is_refused(statements: Sequence[Mapping[str, Any]], operation: str, request: dict[str, object]) -> bool:
    names = ResourceNames(tables={"table": TABLE})
    needed = list(find_permissions("dynamodb", operation, {"TableName": "table"} | request, names))
    return bool(find_refusals(statements, needed))


@pytest.mark.parametrize("attempt", STOLEN)
def test_the_role_of_an_earlier_version_would_have_allowed_most_of_it(attempt: str) -> None:
    """So the test above can fail: a role without the conditions is found."""
    allowed = not is_refused(policies_of("ConnectRole"), *STOLEN[attempt])
    assert allowed == (STOLEN[attempt][0] in ("GetItem", "PutItem", "UpdateItem"))


def test_the_roles_of_the_earlier_version_are_passed_to_no_task() -> None:
    passed = {
        resource
        for owner, statement in statements_with("iam:PassRole")
        for resource in MODEL.texts(statement["Resource"], owner.stack)
    }
    assert passed == {f"Workers/{name}.Arn" for name in ("LaunchRole", "ConnectWorkerRole", "RawWorkerRole")}


def test_the_role_of_schedules_is_taken_by_scheduler_for_the_group_of_this_stack_alone() -> None:
    (role,) = [role for role in ROLES if role.name == "SchedulerRole"]
    (statement,) = role.properties["AssumeRolePolicyDocument"]["Statement"]

    assert (statement["Effect"], statement["Action"]) == ("Allow", "sts:AssumeRole")
    assert statement["Principal"] == {"Service": "scheduler.amazonaws.com"}
    (condition,) = statement["Condition"].values()
    assert condition["aws:SourceAccount"] == {"Ref": "AWS::AccountId"}
    assert MODEL.text(condition["aws:SourceArn"], role.stack) == "Messaging/ScheduleGroup.Arn"


@pytest.mark.parametrize("role", [role for role in ROLES if role.stack == "Workers"], ids=lambda role: role.name)
def test_a_role_of_the_tasks_is_taken_by_ecs_on_behalf_of_this_account_alone(role: Resource) -> None:
    (statement,) = role.properties["AssumeRolePolicyDocument"]["Statement"]

    assert (statement["Effect"], statement["Action"]) == ("Allow", "sts:AssumeRole")
    assert statement["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
