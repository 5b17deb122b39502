"""Quiet hours: the messages of a channel wait for their end, and those of the other channels do not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from cascan.errors import RequestRefused
from cascan.messages.channel_settings import ChannelSettings
from cascan.messages.notices import build_notice_fields
from cascan.messages.quiet_hours import find_quiet
from cascan.messages.read_channels import read_channels
from cascan.messages.work import MessageWork
from cascan.model.finding import Severity
from cascan.model.mute import MuteSource
from on_message_due.take_turns import take_turns
from tests.unit.on_message_due.test_mutes import MISSED, NOON, World

QUIET = ("11:00-13:00", "12:30-14:00 Europe/Berlin")  # 11:00 to 13:00 in UTC, since November


@pytest.fixture
def world() -> World:
    world = World(channels=("team", "ops"))
    world.quiet["ops"] = QUIET
    return world


def list_steps(world: World) -> tuple[list[str], list[str]]:
    return world.channels["team"].steps, world.channels["ops"].steps


def test_a_message_waits_for_the_end_of_the_quiet_hours_on_its_channel_alone(world: World) -> None:
    world.look(True, True)
    world.say("scan/a/failed", **MISSED)
    assert list_steps(world) == (["confirmed", "notice"], [])
    world.tick()
    assert list_steps(world) == (["confirmed", "notice"], [])
    world.wait(60)
    assert (world.tick(), world.tick()) == (1, 0)
    assert list_steps(world) == (["confirmed", "notice"], ["confirmed", "notice"])


def test_the_end_of_quiet_hours_concerns_no_other_channel(world: World) -> None:
    world.look(True, True)
    (quiet,) = world.mutes.list_mutes()
    world.wait(61)
    world.say(quiet.key)
    assert {MessageWork.from_wire(body).channel for body in world.queue.sent} == {"ops"}


def test_what_came_and_went_is_reported_once_at_the_end_on_the_quiet_channel(world: World) -> None:
    world.look(True, True, False, False)
    world.wait(60)
    world.tick()
    assert list_steps(world) == (["confirmed", "resolved"], ["notice"])
    (summary,) = world.channels["ops"].messages
    assert summary["title"] == "Quiet hours have ended: 1 exposure came and went meanwhile"
    assert summary["why"] == "quiet hours"


def test_the_summary_of_a_mute_that_ends_in_quiet_hours_waits_too(world: World) -> None:
    world.mute("m1", 10)
    world.look(True, True, False, False)
    world.wait(30)
    world.tick()
    assert list_steps(world) == (["notice"], [])
    world.wait(60)
    world.tick()
    titles = [message["title"] for message in world.channels["ops"].messages]
    assert titles == ["A mute has ended: 1 exposure came and went meanwhile"]


def test_what_came_in_a_mute_and_went_in_quiet_hours_is_in_their_summary(world: World) -> None:
    world.mute("m1", 10)
    world.look(True, True)
    world.wait(10)
    world.tick()
    world.look(False, False)
    world.wait(60)
    world.tick()
    assert list_steps(world) == (["confirmed", "resolved"], ["notice"])
    assert world.channels["ops"].messages[0]["title"].startswith("Quiet hours have ended: 1 exposure")


def test_what_a_person_asks_for_does_not_wait(world: World) -> None:
    exposure = world.look(True, True)
    world.say("test/a", **build_notice_fields("test", "A try", "now", Severity.INFORMATIONAL))
    key = f"exposure/{exposure.exposure_id}"
    take_turns(MessageWork(scan_id="", cause_id="ann", key=key, channel="ops", retries=True), world.gateways)
    assert list_steps(world)[1] == ["notice", "confirmed"]


def test_quiet_hours_that_a_person_has_ended_hold_nothing_more_that_day(world: World) -> None:
    world.look(True, True)
    (quiet,) = world.mutes.list_mutes()
    assert (quiet.channel, quiet.source, quiet.ends_at) == ("ops", MuteSource.QUIET, NOON + timedelta(hours=1))
    assert world.mutes.put_mute(replace(quiet, ends_at=world.now, revision=2))
    world.wait(1)
    world.tick()
    world.look(True, True, address="10.0.0.8")
    assert list_steps(world)[1] == ["confirmed", "confirmed"]


@pytest.mark.parametrize(
    ("moment", "ends_at"),
    [
        (datetime(2026, 12, 1, 20, 59, tzinfo=UTC), None),
        (datetime(2026, 12, 1, 21, 0, tzinfo=UTC), datetime(2026, 12, 2, 6, tzinfo=UTC)),
        (datetime(2026, 12, 2, 5, 59, tzinfo=UTC), datetime(2026, 12, 2, 6, tzinfo=UTC)),
        (datetime(2026, 12, 5, 15, 0, tzinfo=UTC), datetime(2026, 12, 7, 6, tzinfo=UTC)),  # a Saturday
        (datetime(2026, 7, 1, 20, 30, tzinfo=UTC), datetime(2026, 7, 2, 5, tzinfo=UTC)),  # in summer time
    ],
)
def test_windows_are_in_their_zone_and_those_that_touch_are_one(moment: datetime, ends_at: datetime | None) -> None:
    windows = ("22:00-07:00 Europe/Berlin", "Sat,Sun 00:00-24:00 Europe/Berlin")
    quiet = find_quiet(ChannelSettings(name="ops", topic=True, quiet=windows), moment)
    assert (quiet.ends_at if quiet else None) == ends_at


@pytest.mark.parametrize(
    ("quiet", "problem"),
    [
        ("[22-7]", "'22-7' is not a window"),
        ("[22:00-07:00 Berlin]", "'Berlin' is not a time zone"),
        ("['00:00-24:00']", "lasts longer than 5 days at a stretch"),
        ("22:00-07:00", "channels.ops.quiet"),
        (str(["22:00-07:00"] * 21), "channels.ops.quiet"),
    ],
)
def test_a_wrong_window_is_refused_with_its_field(quiet: str, problem: str) -> None:
    with pytest.raises(RequestRefused, match=r"line 3: channels\.ops\.quiet") as refused:
        read_channels(f"channels:\n  ops:\n    quiet: {quiet}\n    topic: true\n")
    assert problem in str(refused.value)


def test_the_windows_of_a_channel_are_in_its_settings() -> None:
    file = read_channels("channels: {ops: {topic: true, quiet: ['Mon-Fri 22:00-07:00 Europe/Berlin']}}")
    assert file.channels[0].quiet == ("Mon-Fri 22:00-07:00 Europe/Berlin",)
