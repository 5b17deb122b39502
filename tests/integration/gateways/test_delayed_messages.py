"""DelayedMessages' contract: a message comes out when it is due. Every test runs on the fake and on DynamoDB."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cascan.aws.tables.delayed_messages import DynamoDelayedMessages
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.gateways import DelayedMessages
from tests.fakes.schedules import MemoryDelayedMessages
from tests.integration.gateways.conftest import TABLE
from tests.support.builders import NOW, clock


@pytest.fixture(params=["memory", "dynamodb"])
def delayed(request: pytest.FixtureRequest) -> DelayedMessages:
    if request.param == "memory":
        return MemoryDelayedMessages()
    assert isinstance(request.getfixturevalue("dynamo_table"), DynamoScanTable)
    return DynamoDelayedMessages(TABLE, clock)


def due(delayed: DelayedMessages, after_s: float, limit: int = 100) -> list[str]:
    return [message.body for message in delayed.due(NOW + timedelta(seconds=after_s), limit)]


def test_a_message_comes_out_when_it_is_due_the_oldest_first_and_no_more_than_asked_for(
    delayed: DelayedMessages,
) -> None:
    for delay_s in (60, 10, 0):
        delayed.send(f"after {delay_s}", delay_s=delay_s)
    assert due(delayed, -1) == []
    assert due(delayed, 10) == ["after 0", "after 10"]
    assert due(delayed, 60, limit=2) == ["after 0", "after 10"]


def test_a_message_comes_out_until_it_is_forgotten_and_the_same_for_the_same_time_is_one(
    delayed: DelayedMessages,
) -> None:
    for _ in range(2):
        delayed.send("again", delay_s=10)
    assert due(delayed, 10) == due(delayed, 20) == ["again"]
    (message,) = delayed.due(NOW + timedelta(seconds=10), 100)
    for _ in range(2):
        delayed.done(message)
    assert due(delayed, 20) == []
