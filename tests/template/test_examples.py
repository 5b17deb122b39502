"""The examples of who else may ask for scans: off by default, each sends a request, and nobody else does."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from cascan.forms import read_request
from cascan.model.request import ScanRequest
from cascan.nmap.targets.syntax import parse_target
from cascan_cli.local.template import is_condition_met
from tests.data.envelopes.build import recorded
from tests.template.model import MODEL, ROOT

MESSAGING = MODEL.templates["Messaging"]
RESOURCES = MESSAGING["Resources"]
CHANGES = {
    "ExampleSecurityGroupRule": "security-group-opened",
    "ExampleLoadBalancerRule": "load-balancer-created",
    "ExampleRecordRule": "record-changed",
}
INDEX = re.compile(r"(\w+)\[(\d+)\]")


def target_of(rule: str) -> dict[str, Any]:
    (target,) = RESOURCES[rule]["Properties"]["Targets"]
    assert MODEL.text(target["Arn"], "Messaging") == "Messaging/RequestQueue.Arn"
    return target  # type: ignore[no-any-return]


def given(text: Any) -> str:
    """What CloudFormation makes of the text when ExampleTarget is 10.0.0.0/24."""
    return str(text["Fn::Sub"] if isinstance(text, dict) else text).replace("${ExampleTarget}", "10.0.0.0/24")


def transformed(rule: str, event: Any) -> str:
    """What EventBridge sends: a placeholder that is a value is put in as JSON, a string with its quotes."""
    transformer = target_of(rule)["InputTransformer"]
    values = {name: json.dumps(at(path, event)) for name, path in transformer["InputPathsMap"].items()}
    return re.sub(r"<(\w+)>", lambda match: values[match[1]], given(transformer["InputTemplate"]))


def at(path: str, value: Any) -> Any:
    for part in INDEX.sub(r"\1.\2", path.removeprefix("$.")).split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def heard(rule: str, event: Any) -> bool:
    return matches(RESOURCES[rule]["Properties"]["EventPattern"], event)


def matches(pattern: Any, value: Any) -> bool:
    """As EventBridge does, which moto does not within arrays of objects: one element that fits is enough."""
    if isinstance(value, list):
        return any(matches(pattern, one) for one in value)
    if isinstance(pattern, dict):
        return all(matches(inner, value.get(name) if value else None) for name, inner in pattern.items())
    return any((value is not None) is one["exists"] if isinstance(one, dict) else value == one for one in pattern)


@pytest.mark.parametrize(
    ("parameters", "there"),
    [
        ({}, set()),
        ({"ExampleSchedule": "rate(1 day)"}, {"ExampleScheduleRule"}),
        ({"ExampleChanges": "enabled"}, {*CHANGES}),
    ],
)
def test_an_example_is_off_until_somebody_turns_it_on(parameters: dict[str, str], there: set[str]) -> None:
    examples = {name: resource["Condition"] for name, resource in RESOURCES.items() if name.startswith("Example")}
    assert {name for name, condition in examples.items() if is_condition_met(condition, MESSAGING, parameters)} == there
    defaults = MODEL.templates[ROOT]["Parameters"]
    assert (defaults["ExampleSchedule"]["Default"], defaults["ExampleChanges"]["Default"]) == ("", "disabled")


def test_without_an_example_no_rule_may_send_requests() -> None:
    policy = RESOURCES["RequestsPolicy"]["Properties"]["PolicyDocument"]["Statement"]

    assert [statement["Effect"] for statement in MODEL.chosen(policy, "Messaging", {})] == ["Deny"]


def test_what_the_plain_schedule_sends_is_a_request() -> None:
    request = read_request(given(target_of("ExampleScheduleRule")["Input"])).request
    assert (request.name, request.targets) == ("example-schedule", ("10.0.0.0/24",))


@pytest.mark.parametrize("rule", CHANGES)
def test_a_change_that_was_made_is_heard_by_its_rule_alone_and_one_that_failed_by_none(rule: str) -> None:
    event = recorded(CHANGES[rule])
    assert [name for name in CHANGES if heard(name, event)] == [rule]
    failed = event | {"detail": event["detail"] | {"errorCode": "AccessDenied", "responseElements": None}}
    assert not any(heard(name, failed) for name in CHANGES)


@pytest.mark.parametrize(
    ("rule", "target"),
    [
        ("ExampleSecurityGroupRule", "10.0.0.0/24"),
        ("ExampleLoadBalancerRule", "shop-1836718677.eu-central-1.elb.amazonaws.com"),
        ("ExampleRecordRule", "shop.example.org."),
    ],
)
def test_what_a_change_sends_is_a_request_whose_key_is_the_events_id(rule: str, target: str) -> None:
    event = recorded(CHANGES[rule])
    request: ScanRequest = read_request(transformed(rule, event)).request
    assert (request.targets, request.idempotency_key) == ((target,), event["id"])
    assert parse_target(target)


def test_a_classic_load_balancer_and_a_deleted_record_ask_for_nothing() -> None:
    classic = recorded("load-balancer-created")
    classic["detail"] |= {"apiVersion": "2012-06-01", "responseElements": {"dNSName": "old.elb.amazonaws.com"}}
    assert not heard("ExampleLoadBalancerRule", classic)
    deleted = recorded("record-changed")
    deleted["detail"]["requestParameters"]["changeBatch"]["changes"][0]["action"] = "DELETE"
    assert not heard("ExampleRecordRule", deleted)
