"""Scans of 2,000 shards come to their end: cancelled, past their deadline, expired. None of them ever starts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from cascan.clock import from_wire
from cascan.limits import MAX_SHARDS_PER_SCAN
from cascan_cli.local.state import StateDir
from tests.e2e.cascan_command import Cascan
from tests.e2e.test_pipeline import client, outputs, scan_of, send
from tests.e2e.ticks import tick
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e
TARGETS = ["127.0.0-6.0-255", "127.0.7.0-207"]  # 2,000 addresses


@pytest.fixture(autouse=True)
def lifted(cascan: Cascan) -> Iterator[None]:
    yield
    cascan("halt", "--lift")


def a_wide_scan(cascan: Cascan, name: str, **fields: Any) -> str:
    """Of as many shards as a scan can have; the id, once they are all stored."""
    request = {"name": name, "targets": TARGETS, "parameters": ["-p", "1-6000"], "hostsPerShard": 1, "suspend": True}
    scan_id = send(cascan, json.dumps(request | fields))
    counted = eventually(lambda: scan_of(cascan, scan_id) or {})
    assert (counted["shards"], counted["shardsWaiting"]) == (MAX_SHARDS_PER_SCAN, MAX_SHARDS_PER_SCAN)
    eventually(lambda: _waiting(cascan, scan_id) == MAX_SHARDS_PER_SCAN)
    return scan_id


def _waiting(cascan: Cascan, scan_id: str) -> int:
    answer = client(cascan, "dynamodb").query(
        TableName=outputs(cascan)["ScanTableName"],
        IndexName="listing",
        KeyConditionExpression="listing = :waiting",
        ExpressionAttributeValues={":waiting": {"S": f"waiting/{scan_id}"}},
        Select="COUNT",
    )
    return int(answer["Count"])


def ticked(cascan: Cascan) -> Any:
    return tick(StateDir(cascan.state_dir).endpoint())


def test_a_wide_scan_is_cancelled_and_the_command_follows_it_to_its_end(cascan: Cascan) -> None:
    scan_id = a_wide_scan(cascan, "wide-cancelled")
    ran = cascan("cancel", "wide-cancelled", "--json")
    assert ran.code == 0, ran.err
    (ended,) = ran.json
    assert (ended["id"], ended["state"], ended["shardsOpen"], ended["shardsWaiting"]) == (scan_id, "Cancelled", 0, 0)
    assert ended["finishedAt"]
    assert ended["shardOutcomes"] == {"failed": MAX_SHARDS_PER_SCAN}
    assert _waiting(cascan, scan_id) == 0


def test_a_wide_scan_past_its_deadline_ends_without_a_message_sent_or_a_worker_started(cascan: Cascan) -> None:
    scan_id = a_wide_scan(cascan, "wide-late", activeDeadlineSeconds=1, windows=["00:00-00:01 Pacific/Kiritimati"])
    ended = eventually(lambda: _ended(cascan, scan_id) if ticked(cascan) else {})
    assert (ended["state"], ended["outcome"]) == ("Errored", "timed-out")
    assert ended["shardOutcomes"] == {"timed-out": MAX_SHARDS_PER_SCAN}
    assert _messages(cascan, "ConnectShardQueue") == 0


def test_a_wide_scan_whose_time_to_live_is_over_is_removed_with_everything_of_it(cascan: Cascan) -> None:
    scan_id = a_wide_scan(cascan, "wide-expired", ttlSecondsAfterFinished=0)
    assert cascan("cancel", scan_id).code == 0
    eventually(lambda: ticked(cascan) and scan_of(cascan, scan_id) is None)
    for partition in ("scan", "shard"):
        left = client(cascan, "dynamodb").query(
            TableName=outputs(cascan)["ScanTableName"],
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": f"{partition}/{scan_id}"}},
        )
        assert left["Items"] == []
    assert cascan("cancel", scan_id).code == 2  # nothing is left to cancel


def test_a_halt_overtakes_the_ends_of_wide_scans(cascan: Cascan) -> None:
    scan_ids = [a_wide_scan(cascan, f"wide-{number}") for number in range(3)]
    asked = [{"action": "cancel", "scanId": scan_id} for scan_id in scan_ids] + [{"action": "halt"}]
    entries = [{"Id": str(n), "MessageBody": json.dumps(one)} for n, one in enumerate(asked)]
    client(cascan, "sqs").send_message_batch(QueueUrl=outputs(cascan)["ControlQueueUrl"], Entries=entries)
    ended = [eventually(partial(_ended, cascan, scan_id)) for scan_id in scan_ids]
    switch = client(cascan, "dynamodb").get_item(
        TableName=outputs(cascan)["ScanTableName"], Key={"pk": {"S": "stack"}, "sk": {"S": "switch"}}
    )["Item"]
    halted_at = from_wire(json.loads(switch["body"]["S"])["halted_at"])
    assert halted_at < max(from_wire(scan["finishedAt"]) for scan in ended)


def _messages(cascan: Cascan, name: str) -> int:
    sqs = client(cascan, "sqs")
    (queue,) = [url for url in sqs.list_queues()["QueueUrls"] if name in url]
    counted = "ApproximateNumberOfMessages"
    return int(sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[counted])["Attributes"][counted])


def _ended(cascan: Cascan, scan_id: str) -> dict[str, Any]:
    """The scan at its end; empty: it is not there yet."""
    scan = scan_of(cascan, scan_id)
    return scan if scan and scan["finishedAt"] else {}
