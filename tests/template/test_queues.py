"""The queues: nothing that is sent is lost, is waited for in vain, or is given up without a person hearing of it."""

from __future__ import annotations

from typing import Any

import pytest

from cascan_cli.doctor.stack_checks import list_work_queues
from cascan_cli.stack.dead_letters import BY_NAME, PARKED_SHARDS, DeadLetterQueue, list_queues
from on_shard_queued.drain import HOLD_S
from tests.template.model import (
    FUNCTIONS,
    MODEL,
    QUEUES,
    ROOT,
    RULES,
    TASKS,
    Resource,
    as_list,
    environment_of,
    source_queues,
)

READERS = [(queue, name) for name, function in FUNCTIONS.items() for queue in source_queues(function).values()]
DRAINED = {MODEL.text(environment_of(task)["SHARD_QUEUE_URL"], "Workers") for task in TASKS.values()}
READ = sorted({queue for queue, _ in READERS} | DRAINED)
POLICIES = MODEL.resources("AWS::SQS::QueuePolicy")
TO_QUEUES = [  # rule and queue it sends to, or fails to
    (name, queue.removesuffix(".Arn"))
    for name, rule in RULES.items()
    for pair in rule.targets
    for queue in pair
    if queue.removesuffix(".Arn") in QUEUES
]


# What lets somebody send
EXAMPLES = {"ExampleSchedule": "rate(1 day)", "ExampleChanges": "enabled", "MessagesDestinationUrl": "https://a.test"}


def redrive_of(queue: str) -> dict[str, Any]:
    return QUEUES[queue].properties["RedrivePolicy"]  # type: ignore[no-any-return]


def parked_in(queue: str) -> str:
    """Where a message goes that is out of attempts."""
    return MODEL.text(redrive_of(queue)["deadLetterTargetArn"], QUEUES[queue].stack).removesuffix(".Arn")


def statements(policy: Resource) -> list[dict[str, Any]]:
    return MODEL.chosen(policy.properties["PolicyDocument"]["Statement"], policy.stack, EXAMPLES)  # type: ignore[no-any-return]


def allowing(policy: Resource) -> list[dict[str, Any]]:
    return [statement for statement in statements(policy) if statement["Effect"] == "Allow"]


def senders(statement: dict[str, Any], stack: str) -> set[str]:
    """The ARNs that a statement of a queue policy lets in."""
    (condition,) = statement["Condition"].values()
    return MODEL.texts(MODEL.chosen(condition["aws:SourceArn"], stack, EXAMPLES), stack)


@pytest.mark.parametrize("queue", QUEUES)
def test_a_queue_is_encrypted_and_says_how_long_it_keeps_a_message(queue: str) -> None:
    assert QUEUES[queue].properties["SqsManagedSseEnabled"] is True
    assert "KmsMasterKeyId" not in QUEUES[queue].properties  # EventBridge could not send without a grant of that key
    assert 86_400 <= QUEUES[queue].properties["MessageRetentionPeriod"] <= 1_209_600


@pytest.mark.parametrize("queue", READ)
def test_a_queue_that_is_read_gives_a_message_up_after_a_bounded_number_of_attempts(queue: str) -> None:
    least, most = MODEL.bounds(redrive_of(queue)["maxReceiveCount"], QUEUES[queue].stack)

    assert 1 <= least <= most <= 1000  # SQS takes no more
    assert parked_in(queue) in set(QUEUES) - {queue}


@pytest.mark.parametrize("queue", READ)
def test_a_dead_letter_is_kept_as_long_as_the_queue_would_have_kept_it(queue: str) -> None:
    # SQS counts from when the message was first sent, also after it has moved.
    kept, parked = (QUEUES[one].properties["MessageRetentionPeriod"] for one in (queue, parked_in(queue)))
    assert parked >= kept


@pytest.mark.parametrize("queue", READ)
def test_a_message_that_nobody_can_handle_comes_to_rest(queue: str) -> None:
    passed = [queue]
    while passed[-1] in READ:
        assert len(passed) <= len(QUEUES), f"it goes in circles: {passed}"
        passed.append(parked_in(passed[-1]))


@pytest.mark.parametrize(("queue", "name"), READERS)
def test_a_message_stays_hidden_for_as_long_as_its_function_may_run(queue: str, name: str) -> None:
    assert QUEUES[queue].properties["VisibilityTimeout"] >= FUNCTIONS[name].properties["Timeout"]


@pytest.mark.parametrize("queue", sorted(DRAINED))
def test_a_shard_of_a_worker_that_died_returns_after_what_the_worker_holds_it_for(queue: str) -> None:
    assert QUEUES[queue].properties["VisibilityTimeout"] == HOLD_S
    assert QUEUES[queue].properties["ReceiveMessageWaitTimeSeconds"] == 20  # idle workers wait, they do not poll


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_an_event_that_a_rule_cannot_deliver_is_parked(rule: Any) -> None:
    for target, parked in rule.targets:
        assert parked.removesuffix(".Arn") in set(QUEUES) - set(READ)
        assert parked != target


@pytest.mark.parametrize(("rule", "queue"), TO_QUEUES)
def test_a_rule_may_send_to_its_queue_and_to_the_one_for_its_failures(rule: str, queue: str) -> None:
    here = {f"{rule}.Arn", "arn:AWS::Partition:events:AWS::Region:AWS::AccountId:rule/*"}  # or any rule of the account
    allowed = [
        statement
        for policy in POLICIES
        if queue in MODEL.texts(policy.properties["Queues"], policy.stack)
        for statement in allowing(policy)
        if here & senders(statement, policy.stack)
    ]

    assert allowed


@pytest.mark.parametrize("queue", QUEUES)
def test_a_queue_refuses_calls_without_tls(queue: str) -> None:
    (policy,) = [one for one in POLICIES if queue in MODEL.texts(one.properties["Queues"], one.stack)]
    (deny,) = [statement for statement in statements(policy) if statement["Effect"] == "Deny"]

    assert (deny["Principal"], deny["Action"], deny["Resource"]) == ("*", "sqs:*", "*")
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_no_queue_has_two_policies_of_which_the_later_would_take_the_place_of_the_other() -> None:
    queues = [queue for policy in POLICIES for queue in MODEL.texts(policy.properties["Queues"], policy.stack)]

    assert len(queues) == len(set(queues))


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_a_queue_policy_lets_in_eventbridge_alone_and_only_for_rules_of_this_account(policy: Resource) -> None:
    for statement in allowing(policy):
        assert statement["Principal"] == {"Service": "events.amazonaws.com"}
        assert as_list(statement["Action"]) == ["sqs:SendMessage"]
        assert statement["Condition"].keys() <= {"ArnEquals", "ArnLike"}
        for sender in senders(statement, policy.stack):
            account_wide = sender == "arn:AWS::Partition:events:AWS::Region:AWS::AccountId:rule/*"
            assert account_wide or sender.removesuffix(".Arn") in RULES


def test_only_the_queue_for_failed_wakeups_takes_messages_of_any_rule() -> None:
    # Its rules stand in the outermost template, whose names the nested one cannot know.
    open_to_all = {
        queue
        for policy in POLICIES
        for statement in allowing(policy)
        if any("*" in sender for sender in senders(statement, policy.stack))
        for queue in MODEL.texts(policy.properties["Queues"], policy.stack)
    }

    assert open_to_all == {"Messaging/WakeupDLQ"}


def test_the_queue_that_people_send_to_is_an_output() -> None:
    url = MODEL.templates[ROOT]["Outputs"]["RequestQueueUrl"]["Value"]

    assert MODEL.text(url, ROOT) == "Messaging/RequestQueue"


ADDRESS = {queue.partition("/")[2]: queue for queue in QUEUES}  # by the name of the queue
DEAD_LETTERS = {name for name in ADDRESS if "DLQ" in name or "Parked" in name}
OUTPUTS = MODEL.templates[ROOT]["Outputs"]


def test_the_command_knows_every_dead_letter_queue() -> None:
    assert set(BY_NAME) == DEAD_LETTERS


@pytest.mark.parametrize("name", BY_NAME)
def test_the_command_sends_a_dead_letter_back_to_where_it_came_from(name: str) -> None:
    queue = BY_NAME[name]
    sources = {
        source.partition("/")[2]
        for source, resource in QUEUES.items()
        if "RedrivePolicy" in resource.properties and parked_in(source) == ADDRESS[name]
    }
    if queue.reader or name == PARKED_SHARDS:
        assert sources == (set(queue.sent_back_to) or sources)
    elif name == "ParkedRequests":  # RequestDLQ would store the request as refused
        assert parked_in("Messaging/RequestQueue") == "Messaging/RequestDLQ"
        assert sources == {"RequestDLQ"}
    else:
        assert sources == set(queue.sent_back_to)


@pytest.mark.parametrize("name", BY_NAME)
def test_the_command_names_the_function_that_empties_a_dead_letter_queue(name: str) -> None:
    readers = {
        FUNCTIONS[function].properties["Handler"].split(".")[0] for queue, function in READERS if queue == ADDRESS[name]
    }
    assert readers == {BY_NAME[name].reader} - {""}


@pytest.mark.parametrize(
    "name", sorted({*BY_NAME, *(name for queue in BY_NAME.values() for name in queue.sent_back_to)})
)
def test_the_stack_gives_the_url_of_each_queue_that_the_command_uses(name: str) -> None:
    assert MODEL.text(OUTPUTS[f"{name}Url"]["Value"], ROOT) == ADDRESS[name]


@pytest.mark.parametrize("queue", BY_NAME.values(), ids=BY_NAME)
def test_the_urls_of_a_queue_and_of_its_source_are_outputs_under_the_condition_that_the_command_knows(
    queue: DeadLetterQueue,
) -> None:
    conditions = {OUTPUTS[f"{name}Url"].get("Condition") for name in (queue.name, *queue.sent_back_to)}
    (condition,) = conditions
    parameter, _, value = queue.parameter.partition("=")
    declared = MODEL.templates[ROOT]["Conditions"].get(condition)
    assert declared == ({"Fn::Equals": [{"Ref": parameter}, value]} if parameter else None)


def test_doctor_checks_every_queue() -> None:
    checked = {*list_work_queues(OUTPUTS), *(queue.name for queue in list_queues(OUTPUTS))}
    assert checked == {queue.name for queue in QUEUES.values()}
