"""Channels of messages on AWS: the stack's SNS topic, its bus, and URLs that are stored in SSM."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
)

from cascan.aws import clients
from cascan.aws.boundary import error_code, translate_errors
from cascan.clock import Clock, utc_now
from cascan.errors import GatewayUnavailable
from cascan.events import MessageReady
from cascan.gateways import EventBus
from cascan.ids import derive_fingerprint
from cascan.model.message import Delivery, DeliveryState, OutgoingMessage

MAX_SUBJECT_CHARS = 99  # SNS takes fewer than 100, in ASCII
NOT_ASCII = re.compile(r"[^ -~]")
NOT_SENT = (EndpointConnectionError, ConnectTimeoutError, NoCredentialsError)
THROTTLED = frozenset({"Throttling", "ThrottlingException", "Throttled", "TooManyRequestsException"})
FIRST_SERVER_ERROR = 500


class TopicChannel:
    """MessageChannel on an SNS topic. A FIFO topic drops a message whose id it has taken within five minutes."""

    def __init__(self, topic_arn: str) -> None:
        self._topic_arn = topic_arn

    def send(self, message: OutgoingMessage) -> Delivery:
        request: dict[str, Any] = {
            "TopicArn": self._topic_arn,
            "Message": message.body,
            "Subject": NOT_ASCII.sub("?", message.title)[:MAX_SUBJECT_CHARS],
            "MessageAttributes": {
                "thread": {"DataType": "String", "StringValue": message.key},
                "message_id": {"DataType": "String", "StringValue": message.message_id},
            },
        }
        if self._topic_arn.endswith(".fifo"):
            request["MessageDeduplicationId"] = message.message_id
            request["MessageGroupId"] = derive_fingerprint(message.key)
        try:
            clients.sns().publish(**request)
        except NOT_SENT as exc:
            return Delivery(DeliveryState.BUSY, f"the topic: {exc}")
        except ClientError as exc:
            return Delivery(_judge(exc), f"the topic: {exc}")
        except BotoCoreError as exc:
            return Delivery(DeliveryState.UNKNOWN, f"the topic: {exc}")
        return Delivery(DeliveryState.DELIVERED)


def _judge(exc: ClientError) -> DeliveryState:
    if error_code(exc) in THROTTLED:
        return DeliveryState.BUSY
    status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return DeliveryState.UNKNOWN if status >= FIRST_SERVER_ERROR else DeliveryState.REFUSED


class BusChannel:
    """MessageChannel that puts MessageReady on the stack's bus, for rules with API destinations."""

    def __init__(self, channel: str, bus: EventBus, clock: Clock = utc_now) -> None:
        self._channel, self._bus, self._clock = channel, bus, clock

    def send(self, message: OutgoingMessage) -> Delivery:
        try:
            self._bus.put([build_ready_event(self._channel, message, self._clock())])
        except GatewayUnavailable as exc:
            return Delivery(DeliveryState.UNKNOWN, str(exc))
        return Delivery(DeliveryState.DELIVERED)


def build_ready_event(channel: str, message: OutgoingMessage, at: datetime) -> MessageReady:
    is_json = message.content_type == "application/json"
    return MessageReady(
        event_id=message.message_id,
        scan_id="",
        cause_id=message.message_id,
        at=at,
        name="",
        vantage="",
        channel=channel,
        thread=message.key,
        title=message.title,
        document=json.loads(message.body) if is_json else {"text": message.body},
    )


def read_parameter(name: str) -> str:
    """The value of a parameter of SSM, decrypted. Raises: GatewayUnavailable: it cannot be read."""
    with translate_errors("parameter store"):
        response = clients.ssm().get_parameter(Name=name, WithDecryption=True)
    return str(response["Parameter"]["Value"])
