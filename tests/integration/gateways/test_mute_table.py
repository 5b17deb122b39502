"""Mutes and what they hold: in memory, and on DynamoDB."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from cascan.aws import clients
from cascan.aws.tables.mute_table import DynamoMuteTable
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.limits import CLOSED_MUTE_DAYS, NOTICE_DAYS
from cascan.model.finding import Severity
from cascan.model.mute import HeldMessage, PassedExposure, PassedExposures, StoredMute
from tests.fakes.mutes import MemoryMutes
from tests.integration.gateways.conftest import TABLE
from tests.support.builders import clock
from tests.support.other_versions import variants

AT = datetime(2099, 3, 1, 12, tzinfo=UTC)
PASSED = PassedExposure(severity=Severity.HIGH, address="10.0.0.9", line="10.0.0.9 tcp/23")
MUTE = StoredMute(
    mute_id="0a1b2c3d",
    begins_at=AT,
    ends_at=AT + timedelta(hours=2),
    networks=("10.0.0.0/24",),
    passed={"team": PassedExposures(count=1, worst=(PASSED,))},
    revision=1,
)
HELD = [HeldMessage(key=f"exposure/{letter}", notice={"title": letter}) for letter in "abc"]


@pytest.fixture(params=["memory", "dynamodb"])
def table(request: pytest.FixtureRequest) -> MemoryMutes | DynamoMuteTable:
    if request.param == "memory":
        return MemoryMutes()
    assert isinstance(request.getfixturevalue("dynamo_table"), DynamoScanTable)
    return DynamoMuteTable(TABLE, clock)


def test_of_two_writers_of_a_mute_one_wins(table: Any) -> None:
    assert table.put_mute(MUTE)
    assert not table.put_mute(MUTE)
    ended = replace(MUTE, ends_at=AT, revision=2)
    assert table.put_mute(ended)
    assert table.list_mutes() == [ended]


def test_held_messages_are_read_in_pages_and_one_that_is_held_twice_is_one(table: Any) -> None:
    for message in [*reversed(HELD), HELD[0]]:
        table.hold_message(MUTE, message)
    table.hold_message(replace(MUTE, mute_id="another"), HELD[0])
    assert table.list_held(MUTE.mute_id, after="", limit=2) == HELD[:2]
    assert table.list_held(MUTE.mute_id, after=HELD[1].key, limit=2) == HELD[2:]
    assert table.list_held(MUTE.mute_id, after=HELD[2].key, limit=2) == []


def test_of_two_messages_of_a_thread_the_later_one_is_held(table: Any) -> None:
    early, late = (replace(HELD[0], detail=f"2026-11-0{day}T00:00:00Z/s") for day in (1, 2))
    for message in (early, late, early):
        table.hold_message(MUTE, message)
    assert table.list_held(MUTE.mute_id, after="", limit=2) == [late]


@pytest.mark.usefixtures("dynamo_table")
def test_what_is_held_and_a_closed_mute_are_forgotten_later_and_an_active_mute_is_not() -> None:
    table = DynamoMuteTable(TABLE, clock)
    assert table.put_mute(MUTE)
    assert table.put_mute(replace(MUTE, mute_id="closed", closed_at=AT))
    table.hold_message(MUTE, HELD[0])
    items = clients.dynamodb().scan(TableName=TABLE)["Items"]
    expiries = {item["sk"]["S"]: item["expires_at"]["N"] for item in items if "expires_at" in item}
    closed_until, held_until = AT + timedelta(days=CLOSED_MUTE_DAYS), MUTE.ends_at + timedelta(days=NOTICE_DAYS)
    assert expiries == {"closed": f"{closed_until.timestamp():.0f}", HELD[0].key: f"{held_until.timestamp():.0f}"}


@pytest.mark.parametrize("stored", [MUTE, HELD[0]], ids=lambda stored: type(stored).__name__)
def test_what_another_version_stored_is_read(stored: Any) -> None:
    for variant in variants(type(stored), msgspec.to_builtins(stored)):
        assert isinstance(msgspec.json.decode(msgspec.json.encode(variant), type=type(stored)), type(stored))
