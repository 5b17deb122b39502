"""The queues of a vantage on one machine, on moto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from cascan.aws import clients
from cascan.aws.sqs.vantage_queues import create_vantage_queues
from tests.integration.handlers.conftest import moto_clients  # noqa: F401 - a fixture


@pytest.fixture
def sqs(moto_clients: None) -> Iterator[None]:  # noqa: F811 - the fixture
    with mock_aws():
        yield


class FakeLambda:
    """Lambda's mappings of queues: moto wants a real function for them."""

    def __init__(self) -> None:
        self.mappings: list[dict[str, Any]] = []

    def client(self, name: str) -> FakeLambda:
        assert name == "lambda"
        return self

    def list_event_source_mappings(self, **given: str) -> dict[str, Any]:
        arn = given["EventSourceArn"]
        return {"EventSourceMappings": [one for one in self.mappings if one["EventSourceArn"] == arn]}

    def create_event_source_mapping(self, **given: Any) -> None:
        self.mappings.append(given | {"FunctionArn": f"arn:aws:lambda:us-east-1:1:function:{given['FunctionName']}"})


def redrive_of(url: str) -> dict[str, str]:
    described = clients.sqs().get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
    return json.loads(described["Attributes"]["RedrivePolicy"])  # type: ignore[no-any-return]


@pytest.mark.usefixtures("sqs")
def test_each_lane_has_a_queue_whose_dead_letters_the_stack_reads_and_a_repeat_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    functions = FakeLambda()
    parked_url = clients.sqs().create_queue(QueueName="parked")["QueueUrl"]
    attributes = clients.sqs().get_queue_attributes(QueueUrl=parked_url, AttributeNames=["QueueArn"])["Attributes"]
    parked = attributes["QueueArn"]
    monkeypatch.setattr(clients, "session", lambda: functions)
    made = [
        create_vantage_queues("lab", ["connect", "raw"], reader="abandoned", parked_shards_arn=parked) for _ in range(2)
    ]

    assert made[0] == made[1]
    assert [url.rpartition("/")[2] for url in made[0].values()] == [
        "cascan-vantage-lab-connect",
        "cascan-vantage-lab-raw",
    ]
    for url in made[0].values():
        target = redrive_of(url)["deadLetterTargetArn"]
        assert target.rpartition(":")[2] == f"{url.rpartition('/')[2]}-dlq"
        assert redrive_of(f"{url}-dlq")["deadLetterTargetArn"] == parked
    read = [(one["EventSourceArn"].rpartition(":")[2], one["FunctionName"]) for one in functions.mappings]
    assert read == [(f"cascan-vantage-lab-{lane}-dlq", "abandoned") for lane in ("connect", "raw")]
