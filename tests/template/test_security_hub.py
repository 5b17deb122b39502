"""Security Hub is off by default: then the stack has nothing of it, and deploys where there is no Security Hub."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cascan_cli.local.template import is_condition_met, read_template
from tests.template.model import FUNCTIONS, MODEL, PROJECT, ROOT, events_of

TEMPLATE = MODEL.templates[ROOT]
CONDITION = "ImportsToHub"
OPTIONAL = {"HubImports", "OnHubImportDue", "OnHubImportDueRole", "OnHubImportDueLogs"}
NESTED = read_template(PROJECT / "infra" / "hub_imports.yaml")


@pytest.mark.parametrize(("parameters", "imports"), [({}, False), ({"SecurityHub": "enabled"}, True)])
def test_a_stack_of_defaults_imports_nothing(parameters: dict[str, str], *, imports: bool) -> None:
    assert is_condition_met(CONDITION, TEMPLATE, parameters) is imports


def test_everything_of_it_stands_behind_the_condition_and_nothing_else_does() -> None:
    conditional = {name for name, resource in TEMPLATE["Resources"].items() if resource.get("Condition") == CONDITION}
    outputs = {name for name, output in TEMPLATE["Outputs"].items() if output.get("Condition") == CONDITION}
    assert conditional == OPTIONAL
    assert outputs == {"ImportQueueUrl", "ImportDLQUrl"}


def test_nothing_that_each_stack_has_refers_to_it() -> None:
    """Without the condition, that is: the policies of people name its queues under it."""
    of_each_stack = {
        name: _drop_conditional(body) for name, body in TEMPLATE["Resources"].items() if name not in OPTIONAL
    }
    outputs = {name: body for name, body in TEMPLATE["Outputs"].items() if "Condition" not in body}
    assert OPTIONAL & set(_find_references([of_each_stack, outputs])) == set()


def test_no_template_has_a_resource_type_of_security_hub() -> None:
    """An emulator without Security Hub refuses a template that has one."""
    kinds = {resource["Type"] for template in MODEL.templates.values() for resource in template["Resources"].values()}
    assert not [kind for kind in kinds if "SecurityHub" in kind]


def test_it_hears_of_the_ends_of_scans_that_may_have_findings() -> None:
    rule = NESTED["Resources"]["ScanEndedRule"]["Properties"]
    assert rule["EventPattern"] == {"source": ["cascan"], "detail-type": ["ScanCompleted", "ScanCancelled"]}
    assert rule["EventBusName"] == {"Ref": "ScanBusName"}


def test_two_imports_run_at_once_at_most_since_security_hub_takes_ten_calls_a_second() -> None:
    ((kind, event),) = events_of(FUNCTIONS["OnHubImportDue"]).values()
    assert (kind, event["ScalingConfig"]) == ("SQS", {"MaximumConcurrency": 2})


def _drop_conditional(value: Any) -> Any:
    """The value as it is where the condition is not met."""
    match value:
        case {"Fn::If": [str(condition), _, otherwise]} if condition == CONDITION:
            return otherwise
        case dict():
            return {key: _drop_conditional(inner) for key, inner in value.items()}
        case list():
            return [_drop_conditional(inner) for inner in value]
    return value


def _find_references(value: Any) -> list[str]:
    """The names of resources that a part of a template refers to."""
    match value:
        case {"Ref": str(name)}:
            return [name]
        case {"Fn::GetAtt": [str(name), *_]}:
            return [name]
        case dict():
            return [name for part in value.values() for name in _find_references(part)]
        case list():
            return [name for part in value for name in _find_references(part)]
        case str():
            return [name for name in OPTIONAL if f"${{{name}" in json.dumps(value)]
    return []
