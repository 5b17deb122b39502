"""The queues of a vantage on one machine, on moto."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from moto import mock_aws

from cascan.aws import clients
from cascan.aws.sqs.vantage_queues import create_vantage_queues
from tests.integration.handlers.conftest import moto_clients  # noqa: F401 - a fixture


@pytest.fixture
def sqs(moto_clients: None) -> Iterator[None]:  # noqa: F811 - the fixture
    with mock_aws():
        yield


@pytest.mark.usefixtures("sqs")
def test_each_lane_has_a_queue_and_its_dead_letters_and_a_repeat_makes_no_others() -> None:
    urls = create_vantage_queues("lab", ["connect", "raw"])
    assert create_vantage_queues("lab", ["connect", "raw"]) == urls
    assert [url.rpartition("/")[2] for url in urls.values()] == [
        "cascan-vantage-lab-connect",
        "cascan-vantage-lab-raw",
    ]
    for url in urls.values():
        described = clients.sqs().get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
        target = json.loads(described["Attributes"]["RedrivePolicy"])["deadLetterTargetArn"]
        assert target.rpartition(":")[2] == f"{url.rpartition('/')[2]}-dlq"
        assert clients.sqs().get_queue_url(QueueName=target.rpartition(":")[2])["QueueUrl"] == f"{url}-dlq"
