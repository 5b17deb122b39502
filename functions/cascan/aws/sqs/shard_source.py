"""The worker's end of a shard queue."""

from __future__ import annotations

from cascan.aws import clients
from cascan.aws.boundary import translate_errors
from cascan.gateways import Received

GATEWAY = "shard queue"


class SqsShardSource:
    """ShardSource on SQS. Every method raises GatewayUnavailable."""

    def __init__(self, queue_url: str) -> None:
        self._queue_url = queue_url

    def receive(self, wait_s: int, hold_s: int) -> Received | None:
        """The next message, hidden from other workers for `hold_s` seconds.

        None: no message came within `wait_s` seconds.
        """
        with translate_errors(GATEWAY):
            answer = clients.sqs().receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=1,
                WaitTimeSeconds=wait_s,
                VisibilityTimeout=hold_s,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        for message in answer.get("Messages", []):
            deliveries = int(message["Attributes"]["ApproximateReceiveCount"])
            return Received(
                message["Body"],
                message["ReceiptHandle"],
                message["MessageId"],
                deliveries,
            )
        return None

    def hold(self, received: Received, hold_s: int) -> None:
        """Hide the message for `hold_s` seconds from now; 0 makes it visible at once."""
        with translate_errors(GATEWAY):
            clients.sqs().change_message_visibility(
                QueueUrl=self._queue_url, ReceiptHandle=received.receipt, VisibilityTimeout=hold_s
            )

    def delete(self, received: Received) -> None:
        """Remove the message from the queue, since it is handled."""
        with translate_errors(GATEWAY):
            clients.sqs().delete_message(QueueUrl=self._queue_url, ReceiptHandle=received.receipt)
