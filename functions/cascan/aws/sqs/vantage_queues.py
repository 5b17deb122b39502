"""The queues of a vantage on one machine. In AWS infra/vantage_queues.yaml makes the like."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cascan.aws import clients
from cascan.aws.boundary import translate_errors

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

HIDDEN_S = "120"  # a message that a worker holds; it extends this itself
DELIVERIES = "30"  # of one message, before it is a dead letter


DEAD_LETTER_HIDDEN_S = "360"  # 6 x the 60 s of the function that reads them
DEAD_LETTER_DELIVERIES = "5"


def create_vantage_queues(vantage: str, lanes: Iterable[str], *, reader: str, parked_shards_arn: str) -> dict[str, str]:
    """Create a queue for each lane, with its dead-letter queue; their URLs by lane. May be repeated.

    `reader`: the function that gets the dead letters. What it cannot handle goes to the parked shards.

    Raises: GatewayUnavailable.
    """
    return {lane: _create_pair(f"cascan-vantage-{vantage}-{lane}", reader, parked_shards_arn) for lane in lanes}


def _create_pair(name: str, reader: str, parked_shards_arn: str) -> str:
    sqs = clients.sqs()
    with translate_errors("SQS"):
        dead_letters = _create_queue(
            sqs, f"{name}-dlq", DEAD_LETTER_HIDDEN_S, parked_shards_arn, DEAD_LETTER_DELIVERIES
        )
        described = sqs.get_queue_attributes(QueueUrl=dead_letters, AttributeNames=["QueueArn"])
        arn = described["Attributes"]["QueueArn"]
        url = _create_queue(sqs, name, HIDDEN_S, arn, DELIVERIES)
    with translate_errors("Lambda"):
        _connect(arn, reader)
    return url


def _create_queue(sqs: SQSClient, name: str, hidden_s: str, dlq_arn: str, deliveries: str) -> str:
    """The URL of the queue. One that an earlier version made gets these attributes."""
    redrive = json.dumps({"deadLetterTargetArn": dlq_arn, "maxReceiveCount": deliveries})
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": hidden_s, "RedrivePolicy": redrive})
    return url


def _connect(queue_arn: str, function: str) -> None:
    """Have Lambda read the queue for the function, unless it does already."""
    functions: Any = clients.session().client("lambda")
    mappings = functions.list_event_source_mappings(EventSourceArn=queue_arn)["EventSourceMappings"]
    if not any(mapping["FunctionArn"].endswith(f":{function}") for mapping in mappings):
        functions.create_event_source_mapping(
            EventSourceArn=queue_arn,
            FunctionName=function,
            BatchSize=1,
            FunctionResponseTypes=["ReportBatchItemFailures"],
        )
