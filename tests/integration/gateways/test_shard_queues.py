"""ShardQueues' contract, on the fake and on SQS; and what only SQS does."""

from __future__ import annotations

from itertools import repeat
from typing import Any

import pytest

from cascan.aws import clients
from cascan.aws.boundary import MAX_TRIES
from cascan.aws.sqs.shard_queues import SqsShardQueues
from cascan.errors import GatewayUnavailable
from cascan.events import ShardQueued
from cascan.gateways import ShardQueues
from cascan.model.shard import Lane
from tests.integration.gateways.conftest import Script
from tests.integration.gateways.examples import a_message


class TestShardQueues:
    @pytest.mark.parametrize("count", [0, 1, 10, 25])
    def test_messages_wait_in_the_queue_of_their_lane(self, queues: ShardQueues, count: int) -> None:
        queues.send(Lane.RAW, map(a_message, range(count)))
        assert {lane: queues.waiting(lane) for lane in Lane} == {Lane.RAW: count, Lane.CONNECT: 0, Lane.EXPRESS: 0}

    def test_a_message_sent_twice_waits_twice(self, queues: ShardQueues) -> None:
        queues.send(Lane.EXPRESS, [a_message()])
        queues.send(Lane.EXPRESS, [a_message()])
        assert queues.waiting(Lane.EXPRESS) == 2

    def test_messages_for_another_vantage_do_not_wait_for_the_stacks_own_workers(self, queues: ShardQueues) -> None:
        queues.send(Lane.RAW, [a_message()], vantage="office")
        assert queues.waiting(Lane.RAW) == 0


class TestSqs:
    def test_messages_for_a_vantage_go_to_its_queue(self, sqs_queues: SqsShardQueues) -> None:
        sqs_queues.send(Lane.RAW, [a_message(7)], vantage="office")
        assert _received("office-raw") == [a_message(7)]

    @pytest.mark.parametrize(("lane", "vantage"), [(Lane.CONNECT, "office"), (Lane.RAW, "moon")])
    def test_a_queue_that_a_vantage_does_not_have_is_an_error(
        self, sqs_queues: SqsShardQueues, lane: Lane, vantage: str
    ) -> None:
        with pytest.raises(GatewayUnavailable, match=f"vantage {vantage} has no queue for {lane} shards"):
            sqs_queues.send(lane, [a_message()], vantage=vantage)

    def test_a_delayed_message_is_not_received_before_its_time(
        self, sqs_queues: SqsShardQueues, script: Script
    ) -> None:
        requests = script(clients.sqs(), "send_message_batch", ())
        sqs_queues.send(Lane.RAW, [a_message(1), a_message(2)], delay_s=900)
        assert _received(Lane.RAW) == []
        assert [entry["DelaySeconds"] for entry in requests[0]["Entries"]] == [900, 900]

    def test_a_message_is_received_as_it_was_sent(self, sqs_queues: SqsShardQueues) -> None:
        sqs_queues.send(Lane.CONNECT, [a_message(7)])
        assert _received(Lane.CONNECT) == [a_message(7)]

    def test_messages_that_failed_are_sent_again_and_no_others(
        self, sqs_queues: SqsShardQueues, script: Script, pauses: list[float]
    ) -> None:
        send = clients.sqs().send_message_batch

        def all_but_the_second(request: dict[str, Any]) -> dict[str, Any]:
            first, second, *rest = request["Entries"]
            send(QueueUrl=request["QueueUrl"], Entries=[first, *rest])
            return {"Failed": [{"Id": second["Id"], "SenderFault": False, "Code": "InternalError"}]}

        requests = script(clients.sqs(), "send_message_batch", [all_but_the_second])
        sqs_queues.send(Lane.CONNECT, map(a_message, range(3)))
        assert [len(request["Entries"]) for request in requests] == [3, 1]
        assert _received(Lane.CONNECT) == [a_message(0), a_message(2), a_message(1)]
        assert len(pauses) == 1

    def test_messages_that_keep_failing_are_an_error(self, sqs_queues: SqsShardQueues, script: Script) -> None:
        def none(request: dict[str, Any]) -> dict[str, Any]:
            return {"Failed": [{"Id": entry["Id"], "Code": "InternalError"} for entry in request["Entries"]]}

        requests = script(clients.sqs(), "send_message_batch", repeat(none))
        with pytest.raises(GatewayUnavailable, match="shard queues: 2 messages were not taken: InternalError"):
            sqs_queues.send(Lane.CONNECT, map(a_message, range(2)))
        assert len(requests) == MAX_TRIES

    def test_a_queue_that_does_not_exist_is_unavailable(self, aws: None) -> None:
        gone = SqsShardQueues({Lane.RAW: "https://sqs.eu-central-1.amazonaws.com/123456789012/gone"})
        with pytest.raises(GatewayUnavailable, match="shard queues: "):
            gone.send(Lane.RAW, [a_message()])
        with pytest.raises(GatewayUnavailable, match="shard queues: "):
            gone.waiting(Lane.RAW)

    def test_what_a_worker_holds_is_counted_apart_from_what_waits(self, sqs_queues: SqsShardQueues) -> None:
        sqs_queues.send(Lane.RAW, map(a_message, range(3)))
        url = clients.sqs().get_queue_url(QueueName=Lane.RAW)["QueueUrl"]
        clients.sqs().receive_message(QueueUrl=url, MaxNumberOfMessages=1)
        assert (sqs_queues.waiting(Lane.RAW), sqs_queues.held(Lane.RAW)) == (2, 1)


def _received(queue: str) -> list[ShardQueued]:
    url = clients.sqs().get_queue_url(QueueName=queue)["QueueUrl"]
    messages = clients.sqs().receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [ShardQueued.from_wire(message["Body"]) for message in messages]
