"""on_shard_abandoned: dead letters of the shard queues fail their shards, and a scan ends with its last one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cascan.events import ShardReturned
from cascan.model.scan import Outcome, ScanState
from cascan.model.shard import ShardClosing, ShardState
from tests.data.envelopes.build import sqs_event, sqs_record
from tests.integration.handlers.conftest import ColdStart, Function
from tests.integration.handlers.stack import RETURNED_ARN, Stack
from tests.support.builders import SCAN_ID, a_scan, a_shard, shard_queued, shard_token

RECORDED = ShardClosing(state=ShardState.RECORDED, outcome=Outcome.COMPLETE, hosts_up=1)


def dead_letter(shard: int = 0) -> str:
    return shard_queued(shard).to_wire()


@pytest.fixture
def on_shard_abandoned(cold_start: ColdStart) -> Function:
    return cold_start("on_shard_abandoned")


@pytest.mark.parametrize("state", [ShardState.QUEUED, ShardState.RUNNING, ShardState.REPORTED])
def test_a_dead_letter_fails_its_shard_and_the_scan_that_had_no_other(
    stack: Stack, on_shard_abandoned: Function, state: ShardState
) -> None:
    event = sqs_event(dead_letter())
    own = event["Records"][0]["messageId"]
    stack.store(a_scan(), a_shard(state=state, attempt=4, message_id=own, error_description="nmap was killed"))
    assert on_shard_abandoned.failed(event) == []
    scan, shard = stack.scan(SCAN_ID), stack.shard(SCAN_ID)
    assert (shard.state, scan.state, scan.outcome) == (ShardState.FAILED, ScanState.ERRORED, Outcome.FAILED)
    assert scan.error_description == "shard 0 was given up after 4 attempts; nmap was killed"
    (failed,) = stack.heard()
    assert (failed["detail-type"], failed["detail"]["refused"]) == ("ScanFailed", False)
    assert failed["detail"]["reason"] == scan.error_description


def test_a_dead_letter_delivered_twice_counts_its_shard_once(stack: Stack, on_shard_abandoned: Function) -> None:
    stack.store(a_scan(shards=2, shards_open=2), a_shard(number=0), a_shard(number=1))
    on_shard_abandoned(sqs_event(dead_letter()))
    after_one = stack.items()
    assert on_shard_abandoned.failed(sqs_event(dead_letter())) == []
    assert stack.items() == after_one
    assert (stack.scan(SCAN_ID).shards_open, stack.heard()) == (1, [])


def test_the_end_of_a_scan_is_announced_once_however_often_its_dead_letter_comes(
    stack: Stack, on_shard_abandoned: Function
) -> None:
    stack.store(a_scan(), a_shard())
    for _ in range(3):
        on_shard_abandoned(sqs_event(dead_letter()))
    assert stack.heard_names() == ["ScanFailed"]


def test_a_scan_with_an_answer_from_another_shard_ends_partial(stack: Stack, on_shard_abandoned: Function) -> None:
    stack.store(a_scan(shards=2, shards_open=2), a_shard(number=0), a_shard(number=1))
    stack.table.close_shard(SCAN_ID, 1, RECORDED)
    assert on_shard_abandoned.failed(sqs_event(dead_letter(0))) == []
    assert (stack.scan(SCAN_ID).state, stack.scan(SCAN_ID).outcome) == (ScanState.PARSE_COMPLETED, Outcome.PARTIAL)
    (completed,) = stack.heard()
    assert completed["detail"]["shard_outcomes"] == {"complete": 1, "failed": 1}


def test_a_shard_recorded_after_all_keeps_its_answer_and_its_scan_ends(
    stack: Stack, on_shard_abandoned: Function
) -> None:
    stack.store(a_scan(), a_shard())
    stack.table.close_shard(SCAN_ID, 0, RECORDED)  # and the function died before it ended the scan
    assert on_shard_abandoned.failed(sqs_event(dead_letter())) == []
    assert (stack.shard(SCAN_ID).state, stack.scan(SCAN_ID).outcome) == (ShardState.RECORDED, Outcome.COMPLETE)
    assert stack.heard_names() == ["ScanCompleted"]


def test_what_no_retry_can_help_is_parked_at_once_with_its_reason_and_costs_its_neighbours_nothing(
    stack: Stack, on_shard_abandoned: Function, caplog: pytest.LogCaptureFixture
) -> None:
    stack.store(a_scan(), a_shard())
    unreadable, unknown = sqs_record('{"scan_id": 7}'), sqs_record(dead_letter(9))
    batch = {"Records": [unreadable, sqs_record(dead_letter()), unknown]}
    assert on_shard_abandoned.failed(batch) == []
    assert stack.heard_names() == ["ScanFailed"]
    parked = {message["body"]: message["messageAttributes"]["reason"] for message in stack.received("parked")}
    assert set(parked) == {'{"scan_id": 7}', dead_letter(9)}
    assert parked[dead_letter(9)] == f"scan {SCAN_ID} has no shard 9"
    assert [vars(record)["message_id"] for record in caplog.records if record.levelname == "ERROR"] == [
        unreadable["messageId"],
        unknown["messageId"],
    ]


def returned(body: str, **more: Any) -> dict[str, Any]:
    return {"Records": [sqs_record(body) | {"eventSourceARN": RETURNED_ARN} | more]}


def test_a_returned_shard_is_queued_again_or_waits_with_its_counters(
    stack: Stack, on_shard_abandoned: Function
) -> None:
    stack.store(a_scan(), a_shard(state=ShardState.RUNNING, attempt=1))
    message = ShardReturned(scan_id=SCAN_ID, cause_id="x", shard=0, token=shard_token(), attempt=1)
    assert on_shard_abandoned.failed(returned(message.to_wire())) == []
    (queued,) = stack.received("express")
    assert json.loads(queued["body"])["token"] == shard_token()
    stack.table.advance_scan(SCAN_ID, ScanState.SUSPENDED, expected=[ScanState.SCANNING])
    assert on_shard_abandoned.failed(returned(shard_returned_unclaimed())) == []
    scan = stack.scan(SCAN_ID)
    assert (stack.shard(SCAN_ID).state, scan.shards_waiting, scan.shards_in_flight) == (ShardState.WAITING, 1, 0)


def shard_returned_unclaimed() -> str:
    return ShardReturned(scan_id=SCAN_ID, cause_id="x", shard=0, token=shard_token()).to_wire()


def test_what_a_worker_could_not_read_is_parked_with_its_reason(stack: Stack, on_shard_abandoned: Function) -> None:
    attributes = {"reason": {"stringValue": "not a shard", "dataType": "String"}}
    assert on_shard_abandoned.failed(returned("junk", messageAttributes=attributes)) == []
    (parked,) = stack.received("parked")
    assert parked["body"] == "junk"
    assert parked["messageAttributes"]["reason"] == "not a shard"


def test_a_return_without_the_token_is_parked_and_changes_nothing(stack: Stack, on_shard_abandoned: Function) -> None:
    stack.store(a_scan(), a_shard(state=ShardState.RUNNING, attempt=1))
    before = stack.items()
    message = ShardReturned(scan_id=SCAN_ID, cause_id="x", shard=0, token="0" * 32, attempt=1, failed=True)
    assert on_shard_abandoned.failed(returned(message.to_wire())) == []
    assert (stack.items(), len(stack.received("parked"))) == (before, 1)
