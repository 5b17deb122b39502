"""Parameters that do not fit together, or do not fit into Lambda, are refused before anything is made."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cascan_cli.local.template import is_condition_met
from tests.template.model import FUNCTIONS, MODEL, ROOT, variables

TEMPLATE = MODEL.templates[ROOT]
PARAMETERS = TEMPLATE["Parameters"]
# Source: CloudFormation user guide, "Rules section": functions that a rule may call
RULE_FUNCTIONS = {
    *("Fn::And", "Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn", "Fn::Equals"),
    *("Fn::Not", "Fn::Or", "Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll"),
}
ENVIRONMENT_BYTES = 4096  # Source: AWS Lambda quotas, environment variables of a function
# The longest that can be, of a stack with a name of 44 characters in ap-southeast-2. SQS and S3 bound their names.
LENGTHS = {"Url": 54 + 80, "DLQArn": 42 + 80, "BucketName": 63, "Name": 100, "Arn": 180, "": 128}
VPC = {"WorkerEgress": "10.0.0.0/8"}
SUBNETS = {"WorkerSubnets": "subnet-1", "WorkerSecurityGroups": "sg-1"}


def refusals(parameters: dict[str, str]) -> list[str]:
    """The sentences that CloudFormation would refuse a deployment with."""
    found = []
    for rule in TEMPLATE["Rules"].values():
        if _holds(rule["RuleCondition"], parameters):
            found += [a["AssertDescription"] for a in rule["Assertions"] if not _holds(a["Assert"], parameters)]
    return found


def _holds(expression: Any, parameters: dict[str, str]) -> bool:
    match expression:
        case {"Fn::Contains": [list(values), {"Ref": name}]}:
            return parameters.get(name, str(PARAMETERS[name].get("Default"))) in values
    return is_condition_met("asked", {"Parameters": PARAMETERS, "Conditions": {"asked": expression}}, parameters)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, "Set WorkerEgress"),
        ({"WorkerSubnets": "subnet-1"}, "Set WorkerSecurityGroups too"),
        (VPC | {"WorkerSecurityGroups": "sg-1"}, "Set WorkerSubnets too"),
        (VPC | {"WorkerPublicIp": "DISABLED"}, "WorkerPublicIp=DISABLED needs WorkerNetwork=nat or endpoints"),
        (VPC | {"WorkerNetwork": "subnets"}, "WorkerNetwork=subnets needs WorkerSubnets"),
        (SUBNETS | {"WorkerNetwork": "nat"}, "leave WorkerSubnets and WorkerSecurityGroups empty"),
        (SUBNETS | {"WorkerNetwork": "endpoints"}, "leave WorkerSubnets and WorkerSecurityGroups empty"),
        (SUBNETS | {"WorkerZones": "us-west-1a,us-west-1c"}, "WorkerZones is for a VPC that this stack makes"),
        ({"WorkerNetwork": "nat"}, "Set WorkerEgress"),
        (VPC | {"WorkerNetwork": "nat", "WorkerIpv6": "enabled"}, "WorkerSubnets that have IPv6"),
        (VPC | {"ExampleSchedule": "rate(1 day)"}, "Set ExampleTarget"),
        (VPC | {"ExampleChanges": "enabled"}, "Set ExampleTarget"),
        (VPC | {"WorkerIpv6": "enabled"}, "WorkerSubnets that have IPv6"),
        (VPC | {"WorkerMemory": "8192"}, "512 CPU units"),
        (VPC | {"MonthlyBudgetUsd": "50"}, "Set BudgetEmail or AlarmTopicArn too"),
    ],
)
def test_a_pair_of_parameters_that_cannot_work_is_refused_with_what_to_set(
    parameters: dict[str, str], words: str
) -> None:
    (sentence,) = refusals(parameters)

    assert words in sentence


@pytest.mark.parametrize(
    "parameters",
    [
        VPC,
        SUBNETS,
        SUBNETS | {"WorkerPublicIp": "DISABLED"},
        SUBNETS | {"WorkerNetwork": "subnets"},
        VPC | {"WorkerNetwork": "nat", "WorkerPublicIp": "DISABLED"},
        VPC | {"WorkerNetwork": "endpoints", "WorkerZones": "us-west-1a,us-west-1c"},
        SUBNETS | {"WorkerIpv6": "enabled"},
        VPC | {"ExampleSchedule": "rate(1 day)", "ExampleTarget": "10.0.0.5"},
        VPC | {"MonthlyBudgetUsd": "50", "BudgetEmail": "soc@example.org"},
        VPC | {"MonthlyBudgetUsd": "50", "AlarmTopicArn": "arn:aws:sns:eu-central-1:123456789012:alarms"},
    ],
)
def test_what_fits_together_is_accepted(parameters: dict[str, str]) -> None:
    assert refusals(parameters) == []


def test_rules_call_only_what_cloudformation_has_in_rules() -> None:
    called = set(re.findall(r"'(Fn::\w+)'", str(TEMPLATE["Rules"])))

    assert "Fn::Equals" in called
    assert called <= RULE_FUNCTIONS


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_environment_of_a_function_fits_into_lambda_whatever_the_parameters_are(name: str) -> None:
    size = sum(
        len(variable) + _greatest_length(value) for variable, value in variables(FUNCTIONS[name].properties).items()
    )

    assert size <= ENVIRONMENT_BYTES


def _greatest_length(value: Any) -> int:
    match value:
        case str():
            return len(value)
        case {"Ref": name} if name in PARAMETERS:
            return int(PARAMETERS[name].get("MaxLength") or _longest_choice(PARAMETERS[name]))
        case {"Fn::If": [_, one, other]}:
            return max(_greatest_length(one), _greatest_length(other))
        case {"Fn::GetAtt": [_, output]}:
            return next(length for end, length in LENGTHS.items() if output.endswith(end))
    return LENGTHS[""]


def _longest_choice(parameter: dict[str, Any]) -> int:
    """Of a parameter without a length: one of a few values, or a number."""
    assert "AllowedValues" in parameter or parameter["Type"] == "Number", parameter
    return max(len(str(value)) for value in parameter.get("AllowedValues", [10**12]))
