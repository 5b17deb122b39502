"""The alarms: each watches something that exists, goes to the topic, and has a section in the runbook."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.template.model import FUNCTIONS, MODEL, PROJECT, QUEUES, ROOT, Resource, variables
from tests.template.test_queues import READ, parked_in

ALARMS = {alarm.name: alarm for alarm in MODEL.resources("AWS::CloudWatch::Alarm")}
PARKED = sorted((set(QUEUES) - set(READ)) | {parked_in(queue) for queue in READ})
BUDGET = "MonthlyBudget"
RUNBOOK = (PROJECT / "docs" / "runbook.md").read_text()
NAMESPACE = MODEL.templates[ROOT]["Globals"]["Function"]["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"]
TOPIC = {"Fn::If": ["Notifies", {"Ref": "AlarmTopicArn"}, {"Ref": "AWS::NoValue"}]}
Metric = tuple[str, str, dict[str, str]]  # namespace, name, dimensions


def metrics_of(alarm: Resource) -> Iterator[Metric]:
    """What the alarm watches; of an expression, its parts."""
    watched: list[dict[str, Any]] = [
        metric["MetricStat"]["Metric"] for metric in alarm.properties.get("Metrics", []) if "MetricStat" in metric
    ]
    for metric in watched or [alarm.properties]:
        dimensions = {one["Name"]: MODEL.text(one["Value"], alarm.stack) for one in metric["Dimensions"]}
        yield metric["Namespace"], metric["MetricName"], dimensions


WATCHED = [(name, metric) for name, alarm in ALARMS.items() for metric in metrics_of(alarm)]


def watching(namespace: str, metric: str) -> dict[str, list[dict[str, str]]]:
    """Alarm → the dimensions under which it watches the metric."""
    found: dict[str, list[dict[str, str]]] = {}
    for name, (of, called, dimensions) in WATCHED:
        if (of, called) == (namespace, metric):
            found.setdefault(name, []).append(dimensions)
    return found


@pytest.mark.parametrize("queue", PARKED)
def test_a_message_that_is_given_up_raises_an_alarm(queue: str) -> None:
    raised = [
        name
        for name, dimensions in watching("AWS/SQS", "ApproximateNumberOfMessagesVisible").items()
        if dimensions == [{"QueueName": f"{queue}.QueueName"}]
    ]

    assert len(raised) == 1
    properties = ALARMS[raised[0]].properties
    assert (properties["Threshold"], properties["ComparisonOperator"]) == (0, "GreaterThanThreshold")
    assert properties["TreatMissingData"] == "notBreaching"  # SQS stops reporting a queue unused for six hours
    assert 1 <= properties["EvaluationPeriods"] * properties["Period"] / 60 <= 5


@pytest.mark.parametrize("alarm", ALARMS.values(), ids=ALARMS)
def test_an_alarm_says_what_it_means_and_goes_to_the_topic(alarm: Resource) -> None:
    assert alarm.properties["AlarmActions"] == [TOPIC]
    assert alarm.properties["AlarmDescription"].endswith(f"Runbook: docs/runbook.md#{alarm.name.lower()}")
    assert len(alarm.properties["AlarmDescription"]) > 80


def test_a_budget_is_of_what_has_the_tag_of_the_stack_and_is_heard_before_it_is_spent() -> None:
    budget = MODEL.resource(f"Monitoring/{BUDGET}")
    properties = budget.properties["Budget"]
    (tag,) = properties["CostFilters"]["TagKeyValue"]
    notified = budget.properties["NotificationsWithSubscribers"]

    assert (properties["BudgetType"], properties["TimeUnit"]) == ("COST", "MONTHLY")
    assert MODEL.text(properties["BudgetLimit"]["Amount"], budget.stack) == "parameter MonthlyBudgetUsd"
    assert tag == {"Fn::Join": ["$", ["user:cascan-stack", {"Ref": "MetricsStack"}]]}
    assert {(one["Notification"]["NotificationType"], one["Notification"]["Threshold"]) for one in notified} == {
        ("ACTUAL", 80),
        ("FORECASTED", 100),
    }
    for one in notified:
        mail, topic = one["Subscribers"]
        assert mail["Fn::If"][:2] == ["MailsBudget", {"SubscriptionType": "EMAIL", "Address": {"Ref": "BudgetEmail"}}]
        assert topic["Fn::If"][:2] == ["Notifies", {"SubscriptionType": "SNS", "Address": {"Ref": "AlarmTopicArn"}}]


def test_without_an_amount_there_is_no_budget() -> None:
    assert MODEL.resource(f"Monitoring/{BUDGET}").body["Condition"] == "HasBudget"
    assert MODEL.templates["root"]["Parameters"]["MonthlyBudgetUsd"]["Default"] == 0


@pytest.mark.parametrize("name", ["ConnectTask", "RawTask"])
def test_workers_have_the_tag_that_the_budget_counts(name: str) -> None:
    task = MODEL.resource(f"Workers/{name}")
    assert task.properties["Tags"] == [{"Key": "cascan-stack", "Value": {"Ref": "MetricsStack"}}]


def test_the_runbook_has_a_section_for_each_alarm_and_none_for_others() -> None:
    sections = re.findall(r"^## (.+)$", RUNBOOK, re.MULTILINE)

    assert sorted(sections) == sorted([*ALARMS, BUDGET])


@pytest.mark.parametrize("name", [*ALARMS, BUDGET])
def test_a_section_of_the_runbook_says_where_to_look_and_what_to_do(name: str) -> None:
    section = RUNBOOK.split(f"## {name}\n")[1].split("\n## ")[0]

    assert "**Look**" in section
    assert "**Do**" in section


@pytest.mark.parametrize(("name", "metric"), WATCHED, ids=lambda value: value if isinstance(value, str) else value[1])
def test_an_alarm_watches_something_that_exists(name: str, metric: Metric) -> None:
    namespace, called, dimensions = metric
    if namespace == "AWS/SQS":
        assert dimensions["QueueName"].removesuffix(".QueueName") in QUEUES
    elif namespace == "AWS/Lambda":
        assert dimensions["FunctionName"].removeprefix("root/") in FUNCTIONS
    else:
        assert namespace == NAMESPACE
        assert dimensions == {"service": dimensions["service"], "stack": "AWS::StackName"}
        code = (PROJECT / "functions" / dimensions["service"] / "app.py").read_text()
        assert f'count("{called}"' in code


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_errors_and_throttles_of_every_function_count(metric: str) -> None:
    (dimensions,) = watching("AWS/Lambda", metric).values()

    # CloudWatch combines 10 metrics in an alarm at most. What these fail at is parked: ExposuresParked,
    # ImportsParked, MessagesParked
    counted = {f"root/{name}" for name in FUNCTIONS} - {
        "root/OnExposureDue",
        "root/OnHubImportDue",
        "root/OnMessageDue",
    }
    assert {one["FunctionName"] for one in dimensions} == counted


def test_a_tick_that_does_not_come_raises_an_alarm() -> None:
    properties = ALARMS["TickSilent"].properties

    assert watching("AWS/Lambda", "Invocations") == {"TickSilent": [{"FunctionName": "root/OnMinutePassed"}]}
    assert (properties["ComparisonOperator"], properties["TreatMissingData"]) == ("LessThanThreshold", "breaching")


def test_every_queue_that_is_read_has_an_alarm_on_the_age_of_its_oldest_message() -> None:
    watched = {
        dimensions["QueueName"].removesuffix(".QueueName")
        for several in watching("AWS/SQS", "ApproximateAgeOfOldestMessage").values()
        for dimensions in several
    }

    assert watched == {queue for queue in READ if not queue.endswith("DLQ")}  # those have the alarm above


def test_metrics_of_two_stacks_in_one_account_count_apart() -> None:
    for function in FUNCTIONS.values():
        assert variables(function.properties)["METRICS_STACK"] == {"Ref": "AWS::StackName"}
