"""A queue as an operator handles it: count and look at its messages, send them to it from another one, delete them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cascan.aws import clients
from cascan.aws.boundary import chunks, translate_errors
from cascan.aws.sqs.park_message import REASON
from cascan.aws.sqs.shard_queues import HELD, WAITING
from cascan.model.dead_letter import DeadLetter

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef, MessageTypeDef

GATEWAY = "queue"
MAX_BATCH = 10  # messages in one call of SQS
STRING = "String"


class SqsOperatorQueue:
    """Every method raises GatewayUnavailable."""

    def __init__(self, queue_url: str) -> None:
        self._queue_url = queue_url

    def count(self) -> int:
        """About how many messages the queue has, including those in flight."""
        waiting, held = self._count()
        return waiting + held

    def hold_messages(self, limit: int, hold_s: int) -> Iterator[DeadLetter]:
        """At most `limit` messages, each hidden from others for `hold_s` seconds or until `release`."""
        expected, _ = self._count()
        received = 0
        while received < limit:
            with translate_errors(GATEWAY):
                response = clients.sqs().receive_message(
                    QueueUrl=self._queue_url,
                    MaxNumberOfMessages=min(MAX_BATCH, limit - received),
                    VisibilityTimeout=hold_s,
                    # A short poll asks only some servers of SQS, and may miss messages.
                    WaitTimeSeconds=1 if received < expected else 0,
                    MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
                    MessageAttributeNames=["All"],
                )
            messages = response.get("Messages", [])
            if not messages:
                return
            received += len(messages)
            yield from map(_read_message, messages)

    def release(self, letters: Sequence[DeadLetter]) -> None:
        """Show the messages to others again at once. One whose hold has ended is left alone."""
        for chunk in chunks(letters, MAX_BATCH):
            with translate_errors(GATEWAY):
                clients.sqs().change_message_visibility_batch(
                    QueueUrl=self._queue_url,
                    Entries=[
                        {"Id": str(number), "ReceiptHandle": letter.receipt, "VisibilityTimeout": 0}
                        for number, letter in enumerate(chunk)
                    ],
                )

    def send(self, letter: DeadLetter) -> None:
        """Send a message of another queue to this one, without the reason why it was parked there."""
        with translate_errors(GATEWAY):
            clients.sqs().send_message(
                QueueUrl=self._queue_url,
                MessageBody=letter.body,
                MessageAttributes=_to_message_attributes(letter.attributes),
            )

    def delete(self, letter: DeadLetter) -> None:
        """Delete a message for good."""
        with translate_errors(GATEWAY):
            clients.sqs().delete_message(QueueUrl=self._queue_url, ReceiptHandle=letter.receipt)

    def _count(self) -> tuple[int, int]:
        """About how many messages wait, and how many are in flight."""
        with translate_errors(GATEWAY):
            response = clients.sqs().get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=[WAITING, HELD])
        attributes = response["Attributes"]
        return int(attributes[WAITING]), int(attributes[HELD])


def _read_message(message: MessageTypeDef) -> DeadLetter:
    system = message.get("Attributes", {})
    attributes = {
        name: attribute["StringValue"]
        for name, attribute in message.get("MessageAttributes", {}).items()
        if "StringValue" in attribute
    }
    return DeadLetter(
        message_id=message["MessageId"],
        body=message["Body"],
        receipt=message["ReceiptHandle"],
        sent_at=datetime.fromtimestamp(int(system.get("SentTimestamp", "0")) / 1000, UTC),
        received=int(system.get("ApproximateReceiveCount", "0")),
        attributes=attributes,
    )


def _to_message_attributes(attributes: Mapping[str, str]) -> dict[str, MessageAttributeValueTypeDef]:
    kept = {name: value for name, value in attributes.items() if value and name != REASON}
    return {name: {"DataType": STRING, "StringValue": value} for name, value in kept.items()}
