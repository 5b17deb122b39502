"""Channels of messages on AWS: the topic, and what its errors say of a message."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from cascan.aws import clients
from cascan.aws.message_channels import BusChannel, TopicChannel
from cascan.errors import GatewayUnavailable
from cascan.model.message import DeliveryState, OutgoingMessage
from tests.fakes import MemoryEventBus
from tests.support.builders import clock

MESSAGE = OutgoingMessage(
    message_id="m-1", key="exposure/abc", title="Confirmed: web\u00e4pp", body="Confirmed", content_type="text/plain"
)


@pytest.mark.usefixtures("aws")
def test_a_topic_gets_the_text_with_a_subject() -> None:
    topic = clients.sns().create_topic(Name="changes")["TopicArn"]
    queue = clients.sqs().create_queue(QueueName="subscriber")["QueueUrl"]
    arn = clients.sqs().get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    clients.sns().subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    assert TopicChannel(topic).send(MESSAGE).state is DeliveryState.DELIVERED
    (received,) = clients.sqs().receive_message(QueueUrl=queue)["Messages"]
    notification = json.loads(received["Body"])
    assert (notification["Subject"], notification["Message"]) == ("Confirmed: web?pp", "Confirmed")
    assert notification["MessageAttributes"]["thread"]["Value"] == "exposure/abc"


@pytest.mark.usefixtures("aws")
def test_a_topic_that_does_not_exist_refuses_the_message() -> None:
    delivery = TopicChannel("arn:aws:sns:eu-central-1:123456789012:none").send(MESSAGE)
    assert delivery.state is DeliveryState.REFUSED


def refuse(code: str, status: int) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Publish")  # type: ignore[typeddict-item]


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("error", "state"),
    [
        (EndpointConnectionError(endpoint_url="https://sns"), DeliveryState.BUSY),
        (ReadTimeoutError(endpoint_url="https://sns"), DeliveryState.UNKNOWN),
        (refuse("Throttling", 400), DeliveryState.BUSY),
        (refuse("AuthorizationError", 403), DeliveryState.REFUSED),
        (refuse("InternalError", 500), DeliveryState.UNKNOWN),
    ],
)
def test_an_error_says_whether_the_message_may_have_arrived(
    error: Exception, state: DeliveryState, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = []

    def publish(**request: object) -> None:
        requests.append(request)
        raise error

    monkeypatch.setattr(clients.sns(), "publish", publish)
    assert TopicChannel("arn:aws:sns:eu-central-1:123456789012:a.fifo").send(MESSAGE).state is state
    assert requests[0]["MessageDeduplicationId"] == "m-1"


def test_a_bus_that_fails_may_have_taken_the_message() -> None:
    class FailingBus(MemoryEventBus):
        def put(self, events: object) -> None:
            raise GatewayUnavailable("event bus: Throttling")

    assert BusChannel("team", FailingBus(), clock).send(MESSAGE).state is DeliveryState.UNKNOWN


def test_plain_text_is_a_document_on_the_bus() -> None:
    bus = MemoryEventBus()
    assert BusChannel("team", bus, clock).send(MESSAGE).state is DeliveryState.DELIVERED
    (event,) = bus.events
    assert (event.event_id, getattr(event, "document", None)) == ("m-1", {"text": "Confirmed"})
