"""on_control_requested: a scan is cancelled, suspended, resumed by a message; the whole stack halted by one."""

from __future__ import annotations

import json

import pytest

from cascan.model.scan import ScanState
from cascan.model.shard import ShardState
from tests.data.envelopes.build import sqs_event, sqs_record
from tests.integration.handlers.conftest import ColdStart, Function
from tests.integration.handlers.stack import Stack
from tests.support.builders import SCAN_ID, a_scan, a_shard


def asks(action: str, **more: str) -> str:
    return json.dumps({"action": action, **more})


@pytest.fixture
def on_control_requested(cold_start: ColdStart) -> Function:
    return cold_start("on_control_requested")


def test_a_cancelled_scan_is_closed_and_announced(stack: Stack, on_control_requested: Function) -> None:
    stack.store(a_scan(), a_shard())
    cancel = asks("cancel", scanId=SCAN_ID, by="soc")
    assert on_control_requested.failed(sqs_event(cancel)) == []
    assert (stack.scan(SCAN_ID).state, stack.shard(SCAN_ID).state) == (ScanState.CANCELLED, ShardState.CANCELLED)
    assert stack.heard_names() == ["ScanCancelled"]


def test_the_same_message_twice_cancels_once(stack: Stack, on_control_requested: Function) -> None:
    stack.store(a_scan(), a_shard())
    on_control_requested(sqs_event(asks("cancel", scanId=SCAN_ID)))
    after_one = stack.items()
    assert on_control_requested.failed(sqs_event(asks("cancel", scanId=SCAN_ID))) == []
    assert (stack.items(), stack.heard_names()) == (after_one, ["ScanCancelled"])


def test_a_resumed_scan_queues_what_waited(stack: Stack, on_control_requested: Function) -> None:
    waits = a_shard(state=ShardState.WAITING)
    stack.store(a_scan(state=ScanState.SUSPENDED, shards_waiting=1, shards_in_flight=0), waits)
    on_control_requested(sqs_event(asks("resume", scanId=SCAN_ID)))
    assert stack.shard(SCAN_ID).state is ShardState.QUEUED
    assert len(stack.received("express")) == 1
    assert stack.heard_names() == ["ScanResumed"]


def test_one_bad_message_among_good_ones_returns_alone(stack: Stack, on_control_requested: Function) -> None:
    stack.store(a_scan(), a_shard())
    bad = sqs_record(asks("explode", scanId=SCAN_ID))
    event = {"Records": [sqs_record(asks("halt")), bad, sqs_record(asks("suspend", scanId=SCAN_ID))]}
    assert on_control_requested.failed(event) == [bad["messageId"]]
    assert stack.scan(SCAN_ID).state is ScanState.SUSPENDED
    assert stack.table.switch()


def test_a_halt_keeps_who_sent_it_beside_who_it_says_it_is_by(stack: Stack, cold_start: ColdStart) -> None:
    message = sqs_record('{"action": "halt", "by": "somebody else"}')
    assert cold_start("on_control_requested").failed({"Records": [message]}) == []
    switch = stack.table.switch()
    assert switch is not None
    assert (switch.by, switch.sender) == ("somebody else", message["attributes"]["SenderId"])
