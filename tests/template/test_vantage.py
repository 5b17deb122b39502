"""infra/vantage.yaml: workers of a stack elsewhere, by the names and rights that the stack gives them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cascan.limits import MAX_VANTAGE_NETWORKS
from cascan.model.vantage import NAME
from on_shard_queued.drain import HOLD_S
from tests.support.policies import Statement
from tests.template.model import FUNCTIONS, MODEL, PROJECT, ROOT, Model, Resource, as_list, variables
from tests.template.roles import ROLES

VANTAGE = Model.of(PROJECT / "infra" / "vantage.yaml")
(LAUNCHER,) = VANTAGE.resources("AWS::Serverless::Function")
QUEUES = {queue.name: queue for queue in VANTAGE.resources("AWS::SQS::Queue")}
NAME_OF_QUEUE = "parameter MainStackName-vantage-parameter VantageName"
IN_STACK_REGION = "parameter StackRegion:AWS::AccountId"
STACK_QUEUES = {"ConnectQueue": "ConnectShardQueue", "RawQueue": "RawShardQueue"}
STACK_QUEUES |= {"ConnectDLQ": "ConnectShardDLQ", "RawDLQ": "RawShardDLQ"}
EACH_LANE = pytest.mark.parametrize("lane", ["connect", "raw"])


def role(name: str) -> Resource:
    (found,) = [resource for resource in VANTAGE.resources("AWS::IAM::Role") if resource.name == name]
    return found


def statements(name: str) -> list[Statement]:
    policies = role(name).properties["Policies"]
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def resources_of(name: str, action: str) -> set[str]:
    """What the role may do the action to."""
    stack = role(name).stack
    granted = [statement["Resource"] for statement in statements(name) if action in as_list(statement["Action"])]
    return {VANTAGE.text(resource, stack) for one in granted for resource in as_list(one)}


@EACH_LANE
def test_its_queues_have_the_names_that_the_roles_of_the_stack_allow(lane: str) -> None:
    names = {VANTAGE.text(queue.properties["QueueName"], queue.stack) for queue in QUEUES.values()}

    assert {f"{NAME_OF_QUEUE}-{lane}", f"{NAME_OF_QUEUE}-{lane}-dlq"} <= names
    granted = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${AWS::StackName}-vantage-*"
    assert {"Fn::Sub": granted} in all_values(ROLES["OnScanRequestedRole"].properties)
    assert {"Fn::Sub": f"{granted}-dlq"} in all_values(ROLES["OnShardAbandonedRole"].properties)


def all_values(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(deeper for one in inner for deeper in all_values(one))]


def test_the_name_of_its_longest_queue_is_one_that_sqs_takes() -> None:
    longest_stack = VANTAGE.templates[ROOT]["Parameters"]["MainStackName"]["MaxLength"]
    pattern = VANTAGE.templates[ROOT]["Parameters"]["VantageName"]["AllowedPattern"]

    assert pattern == NAME.replace("30", "26")
    assert longest_stack + len("-vantage-") + 28 + len("-connect-dlq") <= 80


@pytest.mark.parametrize("name", QUEUES)
def test_its_queues_are_as_those_of_the_stack(name: str) -> None:
    of_the_stack = MODEL.resource(f"Messaging/{STACK_QUEUES[name]}").properties
    own = {key: value for key, value in QUEUES[name].properties.items() if key != "QueueName"}

    assert own.keys() == of_the_stack.keys()
    for key in own.keys() - {"RedrivePolicy"}:
        assert own[key] == of_the_stack[key], key
    if not name.endswith("DLQ"):
        assert own["VisibilityTimeout"] == HOLD_S


@EACH_LANE
def test_a_shard_that_is_given_up_reaches_the_function_of_the_stack_and_else_its_parked_shards(lane: str) -> None:
    prefix = lane.capitalize()
    reader = VANTAGE.resource(f"Queues/{prefix}DLQReader").properties
    queue, dead_letters = QUEUES[f"{prefix}Queue"].properties, QUEUES[f"{prefix}DLQ"].properties

    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == reader["EventSourceArn"]
    assert reader["EventSourceArn"] == {"Fn::GetAtt": [f"{prefix}DLQ", "Arn"]}
    assert VANTAGE.text(reader["FunctionName"], "Queues") == "parameter OnShardAbandonedName"
    assert (reader["BatchSize"], reader["FunctionResponseTypes"]) == (1, ["ReportBatchItemFailures"])
    parked = dead_letters["RedrivePolicy"]
    assert VANTAGE.text(parked["deadLetterTargetArn"], "Queues") == "parameter ParkedShardsArn"
    assert dead_letters["VisibilityTimeout"] >= FUNCTIONS["OnShardAbandoned"].properties["Timeout"]


def test_what_must_be_in_the_region_of_the_stack_is_made_there_only() -> None:
    conditional = {name for name, resource in VANTAGE.templates[ROOT]["Resources"].items() if resource.get("Condition")}

    assert conditional == {"Queues", "ShardsQueued", "ShardsQueuedPermission"}
    assert VANTAGE.templates[ROOT]["Conditions"]["InStackRegion"] == {
        "Fn::Equals": [{"Ref": "StackRegion"}, {"Ref": "AWS::Region"}]
    }


@EACH_LANE
def test_a_worker_drains_the_queue_of_its_lane_and_returns_shards_to_the_stack(lane: str) -> None:
    name = f"{lane.capitalize()}WorkerRole"
    queue = f"arn:AWS::Partition:sqs:{IN_STACK_REGION}:{NAME_OF_QUEUE}-{lane}"

    assert resources_of(name, "sqs:ReceiveMessage") == {queue}
    assert resources_of(name, "sqs:SendMessage") == {
        f"arn:AWS::Partition:sqs:{IN_STACK_REGION}:part 4 between / of parameter ReturnedShardQueueUrl"
    }
    assert resources_of(name, "dynamodb:UpdateItem") == {
        f"arn:AWS::Partition:dynamodb:{IN_STACK_REGION}:table/parameter ScanTableName"
    }


@EACH_LANE
def test_a_worker_may_do_what_one_of_the_stack_may(lane: str) -> None:
    name = f"{lane.capitalize()}WorkerRole"

    def granted(of: Resource) -> str:
        return json.dumps(of.properties["Policies"])

    assert granted(role(name)) == granted(ROLES[name])  # the same template makes both, with LeadingKeys
    assert "dynamodb:LeadingKeys" in granted(role(name))


def test_the_roles_of_earlier_workers_are_not_made_here() -> None:
    earlier = {one.name for one in VANTAGE.resources("AWS::IAM::Role") if one.body.get("Condition")}

    assert earlier == {"ConnectRole", "RawRole"}
    assert VANTAGE.templates[ROOT]["Resources"]["Workers"]["Properties"]["Parameters"]["EarlierWorkers"] == "none"


def test_its_launcher_is_the_function_of_the_stack_with_an_environment_of_its_own() -> None:
    of_the_stack = FUNCTIONS["OnShardsWaiting"].properties

    assert LAUNCHER.name == "OnShardsWaiting"  # `sam build` makes it by this name
    for key in ("Handler", "Architectures", "MemorySize", "Timeout", "Tracing"):
        assert LAUNCHER.properties[key] == of_the_stack[key], key
    assert set(variables(LAUNCHER.properties)) == {*variables(of_the_stack), "STACK_REGION"}


@EACH_LANE
def test_its_launcher_counts_the_queue_that_its_workers_drain(lane: str) -> None:
    url = VANTAGE.text(variables(LAUNCHER.properties)[f"{lane.upper()}_SHARD_QUEUE_URL"], ROOT)
    worker_url = VANTAGE.text({"Ref": f"{lane.capitalize()}ShardQueueUrl"}, "Workers")

    assert url == worker_url
    assert url.endswith(f"/AWS::AccountId/{NAME_OF_QUEUE}-{lane}")


def test_its_launcher_has_no_right_that_the_one_of_the_stack_lacks() -> None:
    def actions(of: Resource) -> set[str]:
        (policy,) = of.properties["Policies"]
        return {action for one in policy["PolicyDocument"]["Statement"] for action in as_list(one["Action"])}

    assert actions(role("OnShardsWaitingRole")) == actions(ROLES["OnShardsWaitingRole"]) - {"sqs:SendMessage"}
    (switch,) = [one for one in statements("OnShardsWaitingRole") if one["Action"] == "dynamodb:GetItem"]
    assert switch["Condition"] == {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["stack"]}}
    assert resources_of("OnShardsWaitingRole", "sqs:GetQueueAttributes") == {
        f"arn:AWS::Partition:sqs:{IN_STACK_REGION}:{NAME_OF_QUEUE}-{lane}" for lane in ("connect", "raw")
    }
    assert resources_of("OnShardsWaitingRole", "iam:PassRole") == {
        f"Workers/{name}.Arn" for name in ("LaunchRole", "ConnectWorkerRole", "RawWorkerRole")
    }


def test_it_is_woken_by_the_scans_of_its_own_vantage() -> None:
    pattern = VANTAGE.resource("root/ShardsQueued").properties["EventPattern"]

    assert pattern["detail"] == {"vantage": [{"Ref": "VantageName"}]}


def test_its_parameters_have_the_limits_of_the_stacks() -> None:
    own, of_the_stack = (model.templates[ROOT]["Parameters"] for model in (VANTAGE, MODEL))
    limits = ("Type", "MinValue", "MaxValue", "AllowedValues")

    shared = (own.keys() & of_the_stack.keys()) - {"NmapCommand"}
    assert {"MaxWorkers", "ShardDeliveries", "WorkerCpu", "ShardTimeoutSeconds"} <= shared
    for name in shared:
        assert {key: own[name].get(key) for key in limits} == {key: of_the_stack[name].get(key) for key in limits}, name


def test_what_it_reads_of_the_stack_is_an_output_there() -> None:
    outputs = MODEL.templates[ROOT]["Outputs"]
    described = VANTAGE.templates[ROOT]["Parameters"].items()
    read = {name for name, spec in described if spec["Description"] == "The stack's output of this name."}

    assert len(read) == 6
    assert read <= outputs.keys()


def test_its_output_is_the_command_that_makes_it_known() -> None:
    pattern, given = VANTAGE.templates[ROOT]["Outputs"]["AddCommand"]["Value"]["Fn::Sub"]

    words = pattern.split()
    assert words[1:7] == ["cascan", "vantage", "add", "${VantageName}", "--stack", "${MainStackName}"]
    assert [word for word in words if word.startswith("--")] == ["--stack", "--connect-queue", "--raw-queue"]
    assert "Networks" in given
    assert MAX_VANTAGE_NETWORKS > 1  # one --network each
