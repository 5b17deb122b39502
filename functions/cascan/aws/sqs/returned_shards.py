"""The queue of shards that workers return."""

from __future__ import annotations

from cascan.aws import clients
from cascan.aws.boundary import translate_errors
from cascan.aws.sqs.park_message import park_message
from cascan.events import ShardReturned

GATEWAY = "queue of returned shards"


class SqsReturnedShards:
    """ReturnedShards on SQS. Every method raises GatewayUnavailable."""

    def __init__(self, queue_url: str) -> None:
        self._queue_url = queue_url

    def send(self, message: ShardReturned) -> None:
        with translate_errors(GATEWAY):
            clients.sqs().send_message(QueueUrl=self._queue_url, MessageBody=message.to_wire())

    def park(self, body: str, reason: str) -> None:
        park_message(self._queue_url, body, reason)
