"""The worker's end of a shard queue: receive, hold, give back, delete."""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from cascan.aws.clients import client
from cascan.errors import GatewayUnavailable

MAX_WAIT_S = 20  # the longest poll SQS has


@dataclass(frozen=True, slots=True)
class Received:
    """One message, held until its visibility runs out. `attempt` is its receive count, from 1."""

    body: str
    receipt: str
    attempt: int


class SqsShardSource:
    def __init__(self, queue_url: str) -> None:
        self._queue_url = queue_url

    def receive(self, wait_s: int, hold_s: int) -> Received | None:
        """The next message, hidden from others for `hold_s` seconds. Raises: GatewayUnavailable."""
        try:
            answer = client("sqs").receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=1,
                WaitTimeSeconds=min(wait_s, MAX_WAIT_S),
                VisibilityTimeout=hold_s,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        except (BotoCoreError, ClientError) as exc:
            raise GatewayUnavailable(f"shard queue: {exc}") from exc
        for message in answer.get("Messages", []):
            return Received(
                message["Body"], message["ReceiptHandle"], int(message["Attributes"]["ApproximateReceiveCount"])
            )
        return None

    def hold(self, received: Received, hold_s: int) -> None:
        """Hide the message for another `hold_s` seconds from now; 0 gives it back at once."""
        try:
            client("sqs").change_message_visibility(
                QueueUrl=self._queue_url, ReceiptHandle=received.receipt, VisibilityTimeout=hold_s
            )
        except (BotoCoreError, ClientError) as exc:
            raise GatewayUnavailable(f"shard queue: {exc}") from exc

    def delete(self, received: Received) -> None:
        """The message is done with."""
        try:
            client("sqs").delete_message(QueueUrl=self._queue_url, ReceiptHandle=received.receipt)
        except (BotoCoreError, ClientError) as exc:
            raise GatewayUnavailable(f"shard queue: {exc}") from exc
