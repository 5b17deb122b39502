"""What a message of a dead-letter queue tells of itself, whatever it holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from cascan.events import Message, ShardQueued
from cascan.events.control import Action, ControlRequested
from cascan.exposure_updates.work import ExposureWork, WorkKind, build_day_work
from cascan.forms import find_idempotency_key, read_request, read_request_document
from cascan.limits import MAX_REQUEST_BYTES
from cascan.messages.work import MessageWork
from cascan.model.dead_letter import DeadLetter
from cascan.schedules.due import ScheduleDue
from cascan_cli.stack.dead_letters import Description, add_idempotency_key, describe_letter
from on_hub_import_due.work import HubImportWork
from tests.data.envelopes.build import recorded
from tests.support.builders import NOW, SCAN_ID


def describe(body: object, **attributes: str) -> Description:
    text = body if isinstance(body, str) else json.dumps(body)
    return describe_letter(
        DeadLetter(message_id="id", body=text, receipt="", sent_at=NOW, received=1, attributes=attributes)
    )


def test_a_shard_is_told_by_its_scan_and_number() -> None:
    body = ShardQueued(scan_id=SCAN_ID, cause_id="x", shard=3).to_wire()

    assert describe(body) == Description("shard", SCAN_ID, 3)


def test_a_control_message_is_told_by_its_action() -> None:
    body = ControlRequested(action=Action.CANCEL, scan_id=SCAN_ID).to_wire()

    assert describe(body, reason="no such scan") == Description("control cancel", SCAN_ID, reason="no such scan")


def test_a_time_of_a_schedule_is_told_by_the_schedule() -> None:
    body = ScheduleDue(schedule="nightly", due_at=NOW).to_wire()

    assert describe(body, ERROR_CODE="NO_PERMISSIONS", ERROR_MESSAGE="denied") == Description(
        "schedule", schedule="nightly", reason="NO_PERMISSIONS: denied"
    )


def test_a_stored_report_is_told_by_the_scan_and_shard_of_its_key() -> None:
    assert describe(recorded("object-created")) == Description("event Object Created", "a" * 16, 0)


@pytest.mark.parametrize(
    ("work", "kind", "scan_id", "shard"),
    [
        (build_day_work("x"), "daily check", "", None),
        (
            ExposureWork(kind=WorkKind.SHARD, scan_id=SCAN_ID, cause_id="x", shard=2, report_key="key"),
            "exposures of a shard",
            SCAN_ID,
            2,
        ),
        (MessageWork(scan_id=SCAN_ID, cause_id="x", key="key"), "message turn", SCAN_ID, None),
        (HubImportWork(scan_id=SCAN_ID, cause_id="x"), "import", SCAN_ID, None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_message_with_which_a_function_goes_on_is_described_by_its_work(
    work: Message, kind: str, scan_id: str, shard: int | None
) -> None:
    described = describe(work.to_wire())

    assert (described.kind, described.scan_id, described.shard) == (kind, scan_id, shard)


def test_a_move_of_an_exposure_is_described_by_its_scan() -> None:
    event = recorded("bus-event") | {"detail-type": "ExposureOpened", "detail": {"scan_id": SCAN_ID}}

    assert describe(event, ERROR_CODE="SDK_CLIENT_ERROR", ERROR_MESSAGE="404") == Description(
        "event ExposureOpened", SCAN_ID, reason="SDK_CLIENT_ERROR: 404"
    )


def test_the_end_of_a_scan_is_told_by_its_scan_and_schedule() -> None:
    event = recorded("bus-event") | {"detail": {"scan_id": SCAN_ID, "labels": {"cascan/schedule": "nightly"}}}

    assert describe(event) == Description("event ScanCompleted", SCAN_ID, schedule="nightly")


def test_a_failed_call_is_told_by_its_function_and_error() -> None:
    call = {
        "requestContext": {"functionArn": "arn:aws:lambda:eu-central-1:123456789012:function:tick:$LATEST"},
        "responsePayload": {"errorMessage": "Task timed out"},
    }

    assert describe(call) == Description("call of tick", reason="Task timed out")


@pytest.mark.parametrize("request_body", [{"targets": ["10.0.0.1"]}, {"kind": "Scan", "spec": {}}])
def test_a_request_is_told_by_its_fields(request_body: dict[str, Any]) -> None:
    assert describe(request_body).kind == "request"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no json",
        "[]",
        "[" * 100_000,
        {"detail-type": 7, "detail": []},
        {"detail-type": "x", "detail": {"object": {"key": 1}, "labels": [], "scan_id": {}}},
        {"requestContext": 1, "responsePayload": []},
        {"requestContext": {"functionArn": None}},
        {"scan_id": "../../etc", "shard": True},
        {"action": {}, "dueAt": []},
    ],
)
def test_any_text_is_described(body: object) -> None:
    described = describe(body)

    assert described.scan_id == ""
    assert described.shard is None


def test_what_is_shown_of_a_message_is_printable_and_bounded() -> None:
    described = describe({"dueAt": "x", "schedule": "\x1b[2J" + "x" * 5_000}, reason="\x1b]0;owned\x07" + "y" * 5_000)

    assert (described.schedule + described.reason).isprintable()
    assert max(len(described.schedule), len(described.reason)) <= 1_024


MANIFEST = {
    "apiVersion": "execution.securecodebox.io/v1",
    "kind": "Scan",
    "metadata": {"name": "lan"},
    "spec": {"scanType": "nmap", "parameters": ["10.0.0.1"]},
}


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"targets": ["10.0.0.1"]}),
        "targets: [10.0.0.1]",
        json.dumps(MANIFEST),
        json.dumps({**MANIFEST, "metadata": {"name": "lan", "annotations": {"a": "b"}}}),
    ],
)
def test_a_request_without_a_key_gets_one_and_is_the_same_otherwise(body: str) -> None:
    keyed = add_idempotency_key(body, "message-1")
    before, after = read_request_document(body), read_request_document(keyed)
    assert find_idempotency_key(after) == "message-1"
    unkeyed, request = read_request(body).request, read_request(keyed).request
    same_key = {"annotations": unkeyed.annotations, "idempotency_key": ""}
    assert (request.idempotency_key, replace(request, **same_key)) == ("message-1", unkeyed)
    assert add_idempotency_key(keyed, "message-2") == keyed
    assert before.keys() <= after.keys()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        "no request",
        "[1, 2]",
        "{\x00",
        json.dumps({"targets": ["10.0.0.1"], "idempotencyKey": "theirs"}),
        json.dumps({**MANIFEST, "metadata": {"annotations": {"cascan/idempotency-key": "theirs"}}}),
        json.dumps({**MANIFEST, "metadata": "text"}),
        json.dumps({"targets": ["10.0.0.1"], "name": "x" * (MAX_REQUEST_BYTES - 60)}),
    ],
    ids=lambda body: body[:40],
)
def test_what_has_a_key_or_is_no_request_or_has_no_room_for_one_stays_as_it_is(body: str) -> None:
    assert add_idempotency_key(body, "message-1") == body
