"""Send a message that can never be handled to a dead-letter queue, with the reason."""

from __future__ import annotations

from cascan.aws import clients
from cascan.aws.boundary import translate_errors

REASON = "reason"  # the name of a message attribute
MAX_REASON_CHARS = 1_024


def park_message(queue_url: str, body: str, reason: str) -> None:
    """Send the message to the queue, with the reason as an attribute.

    Raises: GatewayUnavailable: the message was not sent.
    """
    text = "".join(c if c.isprintable() else " " for c in reason)[:MAX_REASON_CHARS] or "rejected"
    with translate_errors("dead-letter queue"):
        clients.sqs().send_message(
            QueueUrl=queue_url,
            MessageBody=body,
            MessageAttributes={REASON: {"DataType": "String", "StringValue": text}},
        )
