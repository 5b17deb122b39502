"""The queues of a vantage on one machine; in AWS, whoever deploys its workers makes them."""

from __future__ import annotations

import json
from collections.abc import Iterable

from cascan.aws import clients
from cascan.aws.boundary import translate_errors

HIDDEN_S = "120"  # a message that a worker holds; it extends this itself
DELIVERIES = "30"  # of one message, before it is a dead letter


def create_vantage_queues(vantage: str, lanes: Iterable[str]) -> dict[str, str]:
    """Create a queue for each lane, with its dead-letter queue; their URLs by lane. May be repeated.

    Raises: GatewayUnavailable.
    """
    return {lane: _create_pair(f"cascan-vantage-{vantage}-{lane}") for lane in lanes}


def _create_pair(name: str) -> str:
    sqs = clients.sqs()
    with translate_errors("SQS"):
        dead_letters = sqs.create_queue(QueueName=f"{name}-dlq")["QueueUrl"]
        described = sqs.get_queue_attributes(QueueUrl=dead_letters, AttributeNames=["QueueArn"])
        arn = described["Attributes"]["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": DELIVERIES})
        attributes = {"VisibilityTimeout": HIDDEN_S, "RedrivePolicy": redrive}
        return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]  # type: ignore[arg-type]
