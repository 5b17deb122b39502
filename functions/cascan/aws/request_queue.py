"""The queue that scan requests go to."""

from __future__ import annotations

from cascan.aws import clients
from cascan.aws.boundary import translated


class SqsRequestQueue:
    def __init__(self, queue_url: str) -> None:
        self._queue_url = queue_url

    def send(self, body: str) -> str:
        """The message's id, which the scan's id derives from. Raises: GatewayUnavailable."""
        with translated("request queue"):
            return clients.sqs().send_message(QueueUrl=self._queue_url, MessageBody=body)["MessageId"]
