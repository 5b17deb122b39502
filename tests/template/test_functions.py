"""The functions as the template declares them, against the code they run."""

from __future__ import annotations

import importlib
from dataclasses import fields

import pytest

from cascan.events import BUS_EVENTS, SOURCE
from cascan.model.shard import Lane
from cascan_cli.local.template import is_condition_met
from tests.template.model import (
    FUNCTIONS,
    MODEL,
    PROJECT,
    ROOT,
    RULES,
    TASKS,
    Resource,
    environment_of,
    events_of,
    source_queues,
    variables,
)

FOLDERS = sorted(path.name for path in (PROJECT / "functions").glob("on_*") if path.is_dir())
LANES = {"ConnectTask": "connect", "RawTask": "raw"}
PATTERNS = [name for name, rule in RULES.items() if rule.pattern]
NOT_AFTER_A_RESOURCE = {
    "SHARD_QUEUE_URL",  # of a worker: its lane's queues, below
    "RETURNED_SHARD_QUEUE_URL",
    "SCAN_TYPE_NMAP",  # of on_minute_passed: what the scan type is made of, in test_schedules.py
}


def camel(snake: str) -> str:
    return "".join(word.upper() if word == "dlq" else word.capitalize() for word in snake.split("_"))


def settings_of(module: str) -> set[str]:
    """The variables that a module reads into its Settings."""
    return {field.name.upper() for field in fields(importlib.import_module(module).Settings)}


def test_each_folder_has_its_function_and_each_function_its_folder() -> None:
    handlers = {name: function.properties["Handler"] for name, function in FUNCTIONS.items()}

    assert handlers == {camel(folder): f"{folder}.app.handler" for folder in FOLDERS}


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_function_is_given_the_variables_that_its_settings_read_and_no_others(folder: str) -> None:
    given = {name for name in variables(FUNCTIONS[camel(folder)].properties) if not name.startswith("POWERTOOLS_")}

    assert given - {"METRICS_STACK"} == settings_of(f"{folder}.app")  # that one is edge's


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_function_logs_under_the_name_of_its_folder(folder: str) -> None:
    assert variables(FUNCTIONS[camel(folder)].properties)["POWERTOOLS_SERVICE_NAME"] == folder


@pytest.mark.parametrize("name", TASKS)
def test_each_task_is_given_the_variables_that_the_worker_reads_and_no_others(name: str) -> None:
    given = set(environment_of(TASKS[name])) - {"METRICS_STACK", "STACK_REGION"}  # of its metrics and its clients

    assert given == settings_of("on_shard_queued.worker")


@pytest.mark.parametrize("name", TASKS)
def test_each_task_drains_the_queue_of_its_lane_and_gives_up_in_its_dead_letters(name: str) -> None:
    environment = environment_of(TASKS[name])

    assert environment["LANE"] == LANES[name]
    assert MODEL.text(environment["SHARD_QUEUE_URL"], "Workers") == f"Messaging/{camel(LANES[name])}ShardQueue"
    assert MODEL.text(environment["RETURNED_SHARD_QUEUE_URL"], "Workers") == "Messaging/ReturnedShardQueue"


@pytest.mark.parametrize("name", [*FUNCTIONS, *TASKS])
def test_a_variable_that_names_a_resource_names_the_one_it_is_called_after(name: str) -> None:
    task = name in TASKS
    given = environment_of(TASKS[name]) if task else variables(FUNCTIONS[name].properties)
    followed = {
        variable: MODEL.text(value, "Workers" if task else ROOT)
        for variable, value in given.items()
        if isinstance(value, dict) and "Fn::If" not in value and variable not in NOT_AFTER_A_RESOURCE
    }
    resources = {
        variable: text.split("/")[1].removesuffix(".Arn")
        for variable, text in followed.items()
        if text.split("/")[0] in MODEL.templates
    }

    assert resources
    assert resources == {
        variable: camel(variable.removesuffix("_URL").removesuffix("_ARN").lower()) for variable in resources
    }


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_for_our_events_stands_on_our_bus_and_names_events_that_exist(name: str) -> None:
    rule = RULES[name]
    known = {event.__name__ for event in BUS_EVENTS}

    if SOURCE in rule.pattern["source"]:
        assert rule.bus == "Messaging/ScanBus"
        assert rule.pattern["source"] == [SOURCE]
        assert rule.pattern["detail-type"]
        assert set(rule.pattern["detail-type"]) <= known
    else:
        assert rule.bus == ""  # services of AWS speak on the default bus alone
        assert not known & set(rule.pattern["detail-type"])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_queue_gives_back_only_the_messages_that_failed(name: str) -> None:
    for kind, event in events_of(FUNCTIONS[name]).values():
        if kind == "SQS":
            assert event["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_a_function_that_something_else_than_a_queue_wakes_parks_its_failures() -> None:
    asynchronous = {name: f for name, f in FUNCTIONS.items() if len(source_queues(f)) < len(events_of(f))}

    assert list(asynchronous) == ["OnShardsWaiting", "OnMinutePassed"]
    for function in asynchronous.values():
        failure = function.properties["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
        assert failure["Type"] == "SQS"
        assert MODEL.text(failure["Destination"], ROOT) == "Messaging/WakeupDLQ.Arn"


def test_the_functions_that_must_not_run_twice_at_once_reserve_one_execution_where_the_account_has_it_to_give() -> None:
    reserved = {
        name: function.properties["ReservedConcurrentExecutions"]
        for name, function in FUNCTIONS.items()
        if "ReservedConcurrentExecutions" in function.properties
    }

    one = {"Fn::If": ["KeepsSingle", 1, {"Ref": "AWS::NoValue"}]}
    assert reserved == {"OnShardsWaiting": one, "OnMinutePassed": one}


@pytest.mark.parametrize(("parameters", "reserves"), [({}, False), ({"SingleExecutions": "enabled"}, True)])
def test_a_stack_of_defaults_reserves_nothing_since_a_new_account_has_nothing_to_reserve(
    parameters: dict[str, str], *, reserves: bool
) -> None:
    assert is_condition_met("KeepsSingle", MODEL.templates[ROOT], parameters) is reserves


def test_a_planned_scan_wakes_the_launcher_for_every_lane_that_workers_drain() -> None:
    lanes = {lane for one in RULES["root/OnShardsWaitingPlanned"].pattern["detail"]["$or"] for lane in one["lanes"]}

    assert lanes == set(Lane) - {Lane.EXPRESS} == set(LANES.values())


@pytest.mark.parametrize(
    ("subnets", "public_ip", "inside"),
    [("", "ENABLED", False), ("", "DISABLED", False), ("subnet-1", "ENABLED", False), ("subnet-1", "DISABLED", True)],
)
def test_the_express_function_joins_subnets_that_have_their_own_way_out(
    subnets: str, public_ip: str, *, inside: bool
) -> None:
    condition, network, otherwise = FUNCTIONS["OnShardQueued"].properties["VpcConfig"]["Fn::If"]
    given = {"WorkerSubnets": subnets, "WorkerSecurityGroups": subnets and "sg-1", "WorkerPublicIp": public_ip}

    assert is_condition_met(condition, MODEL.templates[ROOT], given) is inside
    assert network == {
        "SubnetIds": {"Fn::Split": [",", {"Ref": "WorkerSubnets"}]},
        "SecurityGroupIds": {"Fn::Split": [",", {"Ref": "WorkerSecurityGroups"}]},
        "Ipv6AllowedForDualStack": {"Fn::If": ["Ipv6InNetwork", True, False]},
    }
    assert MODEL.chosen(otherwise, ROOT) == {"Ref": "AWS::NoValue"}  # no network of the stack has it by default


def test_the_express_function_takes_one_shard_at_a_time_and_lambda_accepts_its_limit() -> None:
    _, event = events_of(FUNCTIONS["OnShardQueued"])["Shard"]

    assert event["BatchSize"] == 1
    least, most = MODEL.bounds(event["ScalingConfig"]["MaximumConcurrency"], ROOT)
    assert least >= 2  # SQS event sources take 2 to 1000
    assert most <= 1000


def test_requests_are_planned_a_few_at_a_time() -> None:
    _, event = events_of(FUNCTIONS["OnScanRequested"])["Request"]

    most = event["ScalingConfig"]["MaximumConcurrency"]
    assert most == {"Ref": "PlanningConcurrency"}
    least, greatest = MODEL.bounds(most, ROOT)
    assert (least, greatest) == (2, 1000)  # SQS event sources take 2 to 1000


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_logs_to_a_group_of_its_own(name: str) -> None:
    group = FUNCTIONS[name].properties["LoggingConfig"]["LogGroup"]

    assert MODEL.text(group, ROOT) == f"root/{name}Logs"


@pytest.mark.parametrize("group", MODEL.resources("AWS::Logs::LogGroup"), ids=lambda group: group.address)
def test_every_log_group_forgets_after_the_days_of_the_parameter(group: Resource) -> None:
    assert MODEL.text(group.properties["RetentionInDays"], group.stack) == "parameter LogRetentionDays"


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        ("NmapLayer", "OnShardQueued"),
        ("NmapNamesLayer", "OnScanRequested"),
        ("ExpressionsLayer", "OnScanCompleted"),
    ],
)
def test_a_layer_is_built_for_the_function_that_uses_it(layer: str, name: str) -> None:
    built = {one.name: one.properties for one in MODEL.resources("AWS::Serverless::LayerVersion")}
    function = FUNCTIONS[name].properties
    layers = [{"Ref": layer}]

    assert built.keys() == {"NmapLayer", "NmapNamesLayer", "ExpressionsLayer"}
    if layer == "ExpressionsLayer":
        assert function["Layers"] == layers
    else:
        assert function["Layers"] == {"Fn::If": ["BundlesNmap", layers, {"Ref": "AWS::NoValue"}]}
    assert built[layer]["CompatibleRuntimes"] == [function["Runtime"]]
    assert built[layer]["CompatibleArchitectures"] == function["Architectures"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_handed_one_message_at_a_time_so_that_none_pays_for_another(name: str) -> None:
    events = FUNCTIONS[name].properties.get("Events", {}).values()

    assert all(event["Properties"].get("BatchSize") == 1 for event in events if event["Type"] == "SQS")


def test_a_request_that_its_queue_gave_up_comes_back_to_the_function_that_stores_refusals() -> None:
    queues = source_queues(FUNCTIONS["OnScanRequested"])

    assert set(queues.values()) == {"Messaging/RequestQueue", "Messaging/RequestDLQ"}
    given = variables(FUNCTIONS["OnScanRequested"].properties)["REQUEST_DLQ_ARN"]
    assert MODEL.text(given, ROOT) == "Messaging/RequestDLQ.Arn"
