"""A queue as an operator handles it, as the fake has it and on SQS as moto has it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cascan.aws import clients
from cascan.aws.sqs.operator_queue import SqsOperatorQueue
from cascan.aws.sqs.park_message import park_message
from cascan.errors import GatewayUnavailable
from tests.fakes.operator_queue import MemoryOperatorQueue

Queue = SqsOperatorQueue | MemoryOperatorQueue
Park = Callable[[str], None]
HOLD_S = 60


@pytest.fixture(params=["memory", "moto"])
def parked(request: pytest.FixtureRequest) -> tuple[Queue, Queue, Park]:
    """A queue, another one, and what parks a message in the first."""
    if request.param == "memory":
        queue = MemoryOperatorQueue()

        def park(body: str) -> None:
            queue.put(body, {"reason": "because", "other": "kept"})

        return queue, MemoryOperatorQueue(), park
    request.getfixturevalue("aws")
    first, second = (clients.sqs().create_queue(QueueName=name)["QueueUrl"] for name in ("first", "second"))

    def park_on_sqs(body: str) -> None:
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in REASONS.items()}
        clients.sqs().send_message(QueueUrl=first, MessageBody=body, MessageAttributes=attributes)  # type: ignore[arg-type]

    return SqsOperatorQueue(first), SqsOperatorQueue(second), park_on_sqs


REASONS = {"reason": "because", "other": "kept"}


def test_every_message_is_read_once_and_hidden_until_it_is_released(parked: tuple[Queue, Queue, Park]) -> None:
    queue, _, park = parked
    for number in range(25):
        park(str(number))

    letters = list(queue.hold_messages(100, HOLD_S))

    assert sorted(int(letter.body) for letter in letters) == list(range(25))
    assert {letter.received for letter in letters} == {1}
    assert letters[0].attributes == REASONS
    assert list(queue.hold_messages(100, HOLD_S)) == []
    queue.release(letters)
    assert len(list(queue.hold_messages(100, HOLD_S))) == 25


def test_no_more_messages_are_read_than_the_limit(parked: tuple[Queue, Queue, Park]) -> None:
    queue, _, park = parked
    for number in range(15):
        park(str(number))

    assert len(list(queue.hold_messages(12, HOLD_S))) == 12


def test_the_count_includes_what_is_held(parked: tuple[Queue, Queue, Park]) -> None:
    queue, _, park = parked
    park("a")
    park("b")
    list(queue.hold_messages(1, HOLD_S))

    assert queue.count() == 2


def test_a_message_that_is_sent_on_leaves_the_reason_behind(parked: tuple[Queue, Queue, Park]) -> None:
    queue, other, park = parked
    park("body")
    (letter,) = queue.hold_messages(1, HOLD_S)

    other.send(letter)
    queue.delete(letter)

    assert queue.count() == 0
    (arrived,) = other.hold_messages(1, HOLD_S)
    assert (arrived.body, arrived.attributes) == ("body", {"other": "kept"})


def test_the_reason_of_a_parked_message_can_be_read(aws: None) -> None:
    url = clients.sqs().create_queue(QueueName="parked")["QueueUrl"]
    park_message(url, "body", "no such scan")

    (letter,) = SqsOperatorQueue(url).hold_messages(1, HOLD_S)

    assert letter.attributes["reason"] == "no such scan"


def test_a_queue_that_is_not_there_is_unavailable(aws: None) -> None:
    url = clients.sqs().create_queue(QueueName="there")["QueueUrl"]
    with pytest.raises(GatewayUnavailable, match="queue"):
        list(SqsOperatorQueue(url + "-not").hold_messages(1, HOLD_S))
