"""The mutes of the file of channels are stored like those of commands, and end when the file has them no more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from cascan.errors import GatewayUnavailable
from cascan.limits import MAX_ACTIVE_MUTES, MAX_MUTE_DAYS
from cascan.messages.channel_settings import Mute
from cascan.messages.file_mutes import find_mute_problems, store_file_mutes
from cascan.messages.read_channels import read_channels
from cascan.model.mute import MuteSource, StoredMute
from tests.fakes.mutes import MemoryMutes

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TEXT = """
mutes:
  - {hosts: [10.0.0.0/24], owners: [net], from: "2026-11-02T13:00:00Z", until: "2026-11-02T14:00:00Z", why: firewall}
  - {until: "2026-11-02T11:00:00Z"}
"""
MUTES = read_channels(TEXT).mutes


def store(table: MemoryMutes, *mutes: Mute, now: datetime = NOON) -> None:
    store_file_mutes(mutes, table, now, by="ann")


def test_a_mute_of_the_file_is_stored_once_and_holds_in_its_time() -> None:
    table = MemoryMutes()
    store(table, *MUTES)
    store(table, *MUTES, now=NOON + HOUR)
    (mute,) = table.list_mutes()  # the other one is over
    assert (mute.networks, mute.owners, mute.reason, mute.by) == (("10.0.0.0/24",), ("net",), "firewall", "ann")
    assert [mute.holds_at(NOON + number * HOUR) for number in range(4)] == [False, True, False, False]
    assert mute.revision == 1


def test_a_mute_without_a_begin_keeps_that_of_the_first_time() -> None:
    table, mute = MemoryMutes(), Mute(ends_at=NOON + DAY)
    store(table, mute)
    store(table, mute, now=NOON + HOUR)
    assert [stored.begins_at for stored in table.list_mutes()] == [NOON]


def test_a_mute_that_is_left_out_ends_and_those_of_commands_stay() -> None:
    table = MemoryMutes()
    assert table.put_mute(StoredMute(mute_id="c", begins_at=NOON, ends_at=NOON + DAY, revision=1))
    store(table, Mute(ends_at=NOON + DAY, why="a"))
    store(table, Mute(ends_at=NOON + DAY, why="b"), now=NOON + HOUR)
    ends = {mute.reason: mute.ends_at for mute in table.list_mutes()}
    assert ends == {"": NOON + DAY, "a": NOON + HOUR, "b": NOON + DAY}
    store(table, now=NOON + 2 * HOUR)
    assert {mute.reason: mute.ends_at for mute in table.list_mutes()} == ends | {"b": NOON + 2 * HOUR}


def test_a_mute_that_was_ended_early_begins_again_when_the_file_is_stored_again() -> None:
    table, mute = MemoryMutes(), Mute(ends_at=NOON + DAY)
    store(table, mute)
    (stored,) = table.list_mutes()
    assert table.put_mute(replace(stored, ends_at=NOON + HOUR, revision=2))
    for _ in range(2):
        store(table, mute, now=NOON + 2 * HOUR)
    again = [other for other in table.list_mutes() if other.mute_id != stored.mute_id]
    assert [(other.begins_at, other.ends_at) for other in again] == [(NOON + 2 * HOUR, NOON + DAY)]


def test_a_mute_with_another_begin_is_another_mute() -> None:
    table = MemoryMutes()
    store(table, Mute(begins_at=NOON + HOUR, ends_at=NOON + DAY))
    store(table, Mute(begins_at=NOON + 2 * HOUR, ends_at=NOON + DAY))
    spans = {(mute.begins_at, mute.ends_at) for mute in table.list_mutes()}
    assert spans == {(NOON + HOUR, NOON), (NOON + 2 * HOUR, NOON + DAY)}


def test_another_writer_at_the_same_moment_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    table = MemoryMutes()
    monkeypatch.setattr(table, "put_mute", lambda _: False)
    with pytest.raises(GatewayUnavailable, match="was changed at the same moment"):
        store(table, Mute(ends_at=NOON + DAY))


def test_a_mute_that_lasts_too_long_and_too_many_of_them_are_problems() -> None:
    longest = Mute(ends_at=NOON + MAX_MUTE_DAYS * DAY)
    assert list(find_mute_problems([longest, Mute(ends_at=NOON - DAY, begins_at=NOON - 200 * DAY)], [], NOON)) == []
    (problem,) = find_mute_problems([Mute(ends_at=longest.ends_at + HOUR)], [], NOON)
    assert problem == "mutes: the one until 2027-01-31T13:00:00.000Z lasts longer than 90 days"
    late = Mute(begins_at=NOON + DAY, ends_at=longest.ends_at + DAY)
    assert list(find_mute_problems([late], [], NOON)) == []
    command = StoredMute(mute_id="c", begins_at=NOON, ends_at=NOON + DAY)
    stored = [command, replace(command, closed_at=NOON), replace(command, source=MuteSource.FILE)]
    assert list(find_mute_problems([longest] * (MAX_ACTIVE_MUTES - 1), stored, NOON)) == []
    (problem,) = find_mute_problems([longest] * MAX_ACTIVE_MUTES, stored, NOON)
    assert problem == "mutes: there are 100, and commands have set 1; at most 100 are possible at a time"
