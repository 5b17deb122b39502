"""An id that has no scan yet: its request is waited for, and what became of it is said."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cascan.errors import GatewayUnavailable
from cascan.ids import derive_keyed_scan_id, derive_scan_id
from cascan.model.dead_letter import DeadLetter
from cascan.model.scan import Scan
from cascan_cli.errors import BadInput
from cascan_cli.stack import await_scan as module
from cascan_cli.stack.await_scan import await_scan
from cascan_cli.stack.open import StackGateways
from tests.fakes import MemoryScanTable
from tests.support.builders import NOW, SCAN_ID, a_scan

MESSAGE_ID = "4b0c4d1e-0000-4000-8000-000000000001"


class Parked:
    """The queue of parked requests."""

    def __init__(self, *letters: DeadLetter, fails: bool = False) -> None:
        self.letters, self.fails, self.released = letters, fails, 0

    def hold_messages(self, _limit: int, _hold_s: int) -> tuple[DeadLetter, ...]:
        if self.fails:
            raise GatewayUnavailable("AccessDenied")
        return self.letters

    def release(self, letters: list[DeadLetter]) -> None:
        self.released += len(letters)


def a_letter(body: str = "{}", **attributes: str) -> DeadLetter:
    return DeadLetter(
        message_id=MESSAGE_ID, body=body, receipt="r", sent_at=NOW, received=5, attributes=dict(attributes)
    )


def a_stack(table: MemoryScanTable, parked: Parked) -> StackGateways:
    return cast("StackGateways", SimpleNamespace(table=table, queue=lambda _name: parked, submitter="me"))


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> MemoryScanTable:
    monkeypatch.setattr(module, "POLL_S", 0.001)
    monkeypatch.setattr(module, "PICKED_UP_WITHIN_S", 0.05)
    return MemoryScanTable()


def fail(table: MemoryScanTable, parked: Parked, name: str) -> str:
    with pytest.raises(BadInput) as caught:
        await_scan(a_stack(table, parked), name)
    return str(caught.value)


def test_a_scan_that_is_there_is_not_waited_for(table: MemoryScanTable, capsys: pytest.CaptureFixture[str]) -> None:
    table.create_scan(a_scan())
    assert await_scan(a_stack(table, Parked()), "lan").scan_id == SCAN_ID
    assert capsys.readouterr().err == ""


def test_an_id_is_waited_for_until_its_request_is_planned(
    table: MemoryScanTable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "PICKED_UP_WITHIN_S", 60)
    read, looks = table.get_scan, iter(range(100))

    def plan_at_the_third_look(scan_id: str) -> Scan | None:
        if next(looks) == 2:
            table.scans[SCAN_ID] = a_scan()
        return read(scan_id)

    monkeypatch.setattr(table, "get_scan", plan_at_the_third_look)
    assert await_scan(a_stack(table, Parked()), SCAN_ID).scan_id == SCAN_ID
    assert "waiting for the request to be picked up" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["nope", "latest", "aaaa"])
def test_a_name_that_cannot_be_an_id_is_refused_at_once(table: MemoryScanTable, name: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "PICKED_UP_WITHIN_S", 600)
    assert f"there is no scan {name!r}" in fail(table, Parked(), name)


def test_an_id_that_becomes_no_scan_is_an_error(table: MemoryScanTable) -> None:
    assert "there is no scan 'bbbbbbbbbbbbbbbb' after 0.05 s" in fail(table, Parked(a_letter()), "b" * 16)


@pytest.mark.parametrize(
    ("letter", "scan_id", "reason"),
    [
        (a_letter(), derive_scan_id(MESSAGE_ID), "it failed at each of 5 deliveries"),
        (a_letter(reason="no request"), derive_scan_id(MESSAGE_ID), "no request"),
        (
            a_letter(json.dumps({"targets": ["10.0.0.1"], "idempotencyKey": "k"})),
            derive_keyed_scan_id("me", "k"),
            "it failed",
        ),
    ],
)
def test_of_a_parked_request_its_reason_is_printed(
    table: MemoryScanTable, letter: DeadLetter, scan_id: str, reason: str
) -> None:
    parked = Parked(letter)
    sentence = fail(table, parked, scan_id)
    assert f"the request of scan {scan_id} is parked: {reason}" in sentence
    assert f"cascan redrive show {MESSAGE_ID}" in sentence
    assert parked.released == 1


def test_a_reader_who_may_not_look_into_the_queue_learns_what_shows_it(table: MemoryScanTable) -> None:
    assert "cascan redrive list may show why" in fail(table, Parked(fails=True), "b" * 16)
