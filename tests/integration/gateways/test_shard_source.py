"""The worker's end of a shard queue, on SQS as moto has it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from cascan.aws import clients
from cascan.aws.sqs.request_queue import SqsRequestQueue
from cascan.aws.sqs.shard_source import SqsShardSource
from cascan.errors import GatewayUnavailable


@pytest.fixture
def queue_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        clients.session.cache_clear()
        clients.sqs.cache_clear()
        yield clients.sqs().create_queue(QueueName="shards")["QueueUrl"]
    clients.session.cache_clear()
    clients.sqs.cache_clear()


def test_a_message_is_hidden_until_it_is_given_back_and_keeps_its_id(queue_url: str) -> None:
    source = SqsShardSource(queue_url)
    SqsRequestQueue(queue_url).send("a shard")
    first = source.receive(1, 60)
    assert first
    assert first.body == "a shard"
    assert source.receive(0, 60) is None
    source.hold(first, 0)
    again = source.receive(1, 60)
    assert again
    assert (again.message_id, again.deliveries, first.deliveries) == (first.message_id, 2, 1)


def test_a_deleted_message_is_not_received_again(queue_url: str) -> None:
    source = SqsShardSource(queue_url)
    SqsRequestQueue(queue_url).send("a shard")
    received = source.receive(1, 0)
    assert received
    source.delete(received)
    assert source.receive(0, 60) is None


def test_a_queue_that_is_not_there_is_unavailable(queue_url: str) -> None:
    with pytest.raises(GatewayUnavailable, match="shard queue"):
        SqsShardSource(queue_url + "-gone").receive(0, 60)
