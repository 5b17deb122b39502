"""The queues of scan requests and of control messages."""

from __future__ import annotations

from cascan.aws import clients
from cascan.aws.boundary import translate_errors


class SqsRequestQueue:
    def __init__(self, queue_url: str, name: str = "request queue") -> None:
        self._queue_url = queue_url
        self._name = name

    def send(self, body: str, *, delay_s: int = 0) -> str:
        """Send the message. Returns its id, from which the scan's id is derived.

        Raises: GatewayUnavailable.
        """
        with translate_errors(self._name):
            answer = clients.sqs().send_message(
                QueueUrl=self._queue_url,
                MessageBody=body,
                DelaySeconds=delay_s,
            )
        return answer["MessageId"]
