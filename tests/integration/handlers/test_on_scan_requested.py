"""on_scan_requested: requests from the queue become scans, shard messages and events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cascan.aws import clients
from cascan.aws.event_bus import EventBridgeBus
from cascan.errors import GatewayUnavailable
from cascan.ids import derive_keyed_scan_id, derive_scan_id, derive_shard_token
from cascan.limits import MAX_REQUEST_BYTES, MAX_SENDER_CHARS
from cascan.model.scan import Outcome, ScanState
from cascan.model.shard import ShardState
from tests.data.envelopes.build import sqs_event, sqs_record
from tests.integration.handlers.conftest import ColdStart, Function
from tests.integration.handlers.stack import Stack

REQUEST = {"name": "lan", "targets": ["10.0.0.1"], "parameters": ["-p", "22"], "labels": {"team": "blue"}}
MESSAGE = sqs_record(json.dumps(REQUEST))
SENDER = MESSAGE["attributes"]["SenderId"]
SCAN_ID = derive_scan_id(MESSAGE["messageId"])
RAW = REQUEST | {"scanType": "nmap-privileged"}
WIDE = REQUEST | {"targets": ["10.0.0.0/24"], "hostsPerShard": 64}
REFUSED = {
    "neither JSON nor YAML": ("{not: [closed", "line 1"),
    "not UTF-8": ("\udcff", "surrogate"),
    "empty": ("", "empty"),
    "an unknown field": (json.dumps(REQUEST | {"targetz": []}), "targetz"),
    "a wrong type": (json.dumps(REQUEST | {"targets": "10.0.0.1"}), "targets"),
    "no target": (json.dumps({"name": "lan"}), "no target"),
    "a target outside the scope": (json.dumps(REQUEST | {"targets": ["8.8.8.8"]}), "8.8.8.8"),
    "a target that is denied": (json.dumps(REQUEST | {"targets": ["10.0.9.9"]}), "10.0.9.9"),
    "an option that writes a file": (json.dumps(REQUEST | {"parameters": ["-oN", "/tmp/x"]}), "-oN"),
    "a script beyond the stack's policy": (
        json.dumps(REQUEST | {"parameters": ["--script", "http-enum"]}),
        "intrusive",
    ),
    "a policy beyond the stack's": (json.dumps(REQUEST | {"policyProfile": "everything"}), "more than safe"),
    "too large": (json.dumps(REQUEST | {"contact": "x" * MAX_REQUEST_BYTES}), str(MAX_REQUEST_BYTES)),
}


@pytest.fixture
def on_scan_requested(cold_start: ColdStart) -> Function:
    return cold_start("on_scan_requested")


def unavailable(*_: object) -> None:
    raise GatewayUnavailable("the bus is down")


def batch(*messages: dict[str, Any]) -> dict[str, Any]:
    return {"Records": list(messages)}


def test_a_request_becomes_a_scan_a_queued_shard_and_an_event(stack: Stack, on_scan_requested: Function) -> None:
    assert on_scan_requested.failed(batch(MESSAGE)) == []
    scan = stack.scan(SCAN_ID)
    assert (scan.name, scan.state, scan.shards, scan.shards_open) == ("lan", ScanState.SCANNING, 1, 1)
    assert stack.shard(SCAN_ID).state is ShardState.QUEUED
    (queued,) = stack.received("express")
    (planned,) = stack.heard()
    assert json.loads(queued["body"]) == {
        "scan_id": SCAN_ID,
        "cause_id": planned["detail"]["event_id"],
        "hop": 0,
        "version": 1,
        "token": derive_shard_token(scan.shard_secret, 0),
        "shard": 0,
        "trace_id": scan.trace_id,
    }
    assert (planned["detail-type"], planned["source"]) == ("ScanPlanned", "cascan")
    assert planned["detail"]["cause_id"] == MESSAGE["messageId"]
    assert (planned["detail"]["lanes"], planned["detail"]["labels"]) == ({"express": 1}, {"team": "blue"})


@pytest.mark.parametrize("principal", ["AIDA1234567890EXAMPLE", "AROA1234567890EXAMPLE:ada"])
def test_the_principal_that_sent_a_request_is_stored_with_its_scan_and_is_on_its_event(
    stack: Stack, on_scan_requested: Function, principal: str
) -> None:
    message = sqs_record(json.dumps(REQUEST))
    message["attributes"]["SenderId"] = principal
    assert on_scan_requested.failed(batch(message)) == []
    (planned,) = stack.heard()
    assert (stack.scan(SCAN_ID).requested_by, planned["detail"]["requested_by"]) == (principal, principal)


@pytest.mark.parametrize("body", ["{not: [closed", json.dumps(REQUEST | {"targets": ["8.8.8.8"]})])
def test_a_refused_request_has_the_principal_that_sent_it_too(
    stack: Stack, on_scan_requested: Function, body: str
) -> None:
    message = sqs_record(body)
    message["attributes"]["SenderId"] = "AIDA1234567890EXAMPLE"
    assert on_scan_requested.failed(batch(message)) == []
    (scan,), (failed,) = stack.table.list_scans(10), stack.heard()
    assert scan.refusals
    assert (scan.requested_by, failed["detail"]["requested_by"]) == ("AIDA1234567890EXAMPLE",) * 2


def test_of_a_principal_so_much_is_stored_as_any_of_aws_has(stack: Stack, on_scan_requested: Function) -> None:
    message = sqs_record(json.dumps(REQUEST))
    message["attributes"]["SenderId"] = "A" * 100_000
    assert on_scan_requested.failed(batch(message)) == []
    assert stack.scan(SCAN_ID).requested_by == "A" * MAX_SENDER_CHARS


def test_a_request_delivered_twice_is_one_scan_one_shard_message_and_one_event(
    stack: Stack, on_scan_requested: Function
) -> None:
    on_scan_requested(batch(MESSAGE))
    after_one = stack.items()
    assert on_scan_requested.failed(batch(MESSAGE)) == []
    assert stack.items() == after_one
    assert (len(stack.received("express")), stack.heard_names()) == (1, ["ScanPlanned"])


def test_a_request_with_a_key_sent_twice_is_one_scan(stack: Stack, on_scan_requested: Function) -> None:
    body = json.dumps(REQUEST | {"idempotencyKey": "monday"})
    messages = [sqs_record(body, message_id=f"00000000-0000-4000-8000-00000000000{n}") for n in (1, 2)]
    assert on_scan_requested.failed(batch(*messages)) == []
    assert [scan.scan_id for scan in stack.table.list_scans(10)] == [derive_keyed_scan_id(SENDER, "monday")]
    assert stack.heard_names() == ["ScanPlanned"]


def test_two_submitters_with_one_key_have_a_scan_each(stack: Stack, on_scan_requested: Function) -> None:
    messages = [sqs_record(json.dumps(REQUEST | {"idempotencyKey": "monday", "name": name})) for name in "ab"]
    messages[1]["attributes"]["SenderId"] = "AIDA1234567890EXAMPLE"
    assert on_scan_requested.failed(batch(*messages)) == []
    ids = {derive_keyed_scan_id(message["attributes"]["SenderId"], "monday") for message in messages}
    assert {scan.scan_id for scan in stack.table.list_scans(10) if not scan.refusals} == ids


def test_a_request_that_its_queue_gave_up_is_stored_as_refused_under_its_own_id(
    stack: Stack, on_scan_requested: Function
) -> None:
    given_up = MESSAGE | {"eventSourceARN": stack.environment()["REQUEST_DLQ_ARN"]}
    assert on_scan_requested.failed(batch(given_up)) == []
    scan = stack.scan(SCAN_ID)
    assert (scan.state, scan.shards) == (ScanState.ERRORED, 0)
    assert "never came to an end" in scan.error_description
    assert stack.read(f"scans/{SCAN_ID}/request").decode() == MESSAGE["body"]
    assert stack.heard_names() == ["ScanFailed"]
    assert on_scan_requested.failed(batch(given_up)) == []
    assert stack.heard_names() == []


def test_a_delivery_that_broke_off_before_its_event_is_finished_by_the_next(
    stack: Stack, on_scan_requested: Function, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(EventBridgeBus, "put", unavailable)
        assert on_scan_requested.failed(batch(MESSAGE)) == [MESSAGE["messageId"]]
    assert "the bus is down" in caplog.text
    assert on_scan_requested.failed(batch(MESSAGE)) == []
    assert stack.scan(SCAN_ID).state is ScanState.SCANNING
    first, second = stack.received("express")  # queued again: whoever comes second finds the shard claimed
    assert first["body"] == second["body"]
    assert stack.heard_names() == ["ScanPlanned"]


def test_of_a_batch_only_the_message_that_failed_returns(stack: Stack, on_scan_requested: Function) -> None:
    clients.sqs().delete_queue(QueueUrl=stack.queue_urls["raw"])
    raw, connect = (sqs_record(json.dumps(request)) for request in (RAW, WIDE))
    assert on_scan_requested.failed(batch(MESSAGE, raw, connect)) == [raw["messageId"]]
    assert (len(stack.received("express")), len(stack.received("connect"))) == (1, 4)
    assert stack.heard_names() == ["ScanPlanned", "ScanPlanned"]
    assert stack.scan(derive_scan_id(raw["messageId"])).state is ScanState.INIT


@pytest.mark.parametrize(("body", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_malformed_request_is_stored_as_errored_with_its_reason_and_is_no_failure(
    stack: Stack, on_scan_requested: Function, body: str, reason: str
) -> None:
    bad = sqs_record(body)
    scan_id = derive_scan_id(bad["messageId"])
    assert on_scan_requested.failed(batch(bad, MESSAGE)) == []
    refused = stack.scan(scan_id)
    assert (refused.state, refused.outcome, refused.shards) == (ScanState.ERRORED, Outcome.FAILED, 0)
    assert reason in refused.error_description
    failed, planned = stack.heard()
    assert (failed["detail-type"], failed["detail"]["scan_id"], failed["detail"]["refused"]) == (
        "ScanFailed",
        scan_id,
        True,
    )
    assert failed["detail"]["reason"] == refused.error_description
    assert planned["detail"]["scan_id"] == SCAN_ID


def test_a_refused_request_delivered_twice_is_announced_once(stack: Stack, on_scan_requested: Function) -> None:
    event = sqs_event("[]")
    on_scan_requested(event)
    after_one = stack.items()
    assert on_scan_requested.failed(event) == []
    assert stack.items() == after_one
    assert stack.heard_names() == ["ScanFailed"]


@pytest.mark.parametrize(("request_", "lane", "shards"), [(RAW, "raw", 1), (WIDE, "connect", 4)], ids=["raw", "wide"])
def test_shards_wait_in_the_queue_of_their_lane(
    stack: Stack, on_scan_requested: Function, request_: dict[str, Any], lane: str, shards: int
) -> None:
    on_scan_requested(sqs_event(json.dumps(request_)))
    waiting = {queue: len(stack.received(queue)) for queue in ("express", "connect", "raw")}
    assert waiting == {"express": 0, "connect": 0, "raw": 0} | {lane: shards}


def test_a_suspended_request_is_stored_and_nothing_is_queued(stack: Stack, on_scan_requested: Function) -> None:
    message = sqs_record(json.dumps(REQUEST | {"suspend": True}))
    assert on_scan_requested.failed(batch(message)) == []
    assert stack.scan(derive_scan_id(message["messageId"])).state is ScanState.SUSPENDED
    assert (stack.received("express"), stack.heard()) == ([], [])
