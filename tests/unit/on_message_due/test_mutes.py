"""Mutes: nothing is said meanwhile, nothing is lost, and each channel hears once what came and went."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from cascan.errors import GatewayUnavailable
from cascan.exposure.life import add_looks, start_exposure
from cascan.limits import MAX_HELD_PER_PAGE, MAX_SUMMARY_LINES
from cascan.messages.channel_settings import ChannelFile, ChannelSettings, Mute
from cascan.messages.decide_exposure import Audience
from cascan.messages.file_mutes import store_file_mutes
from cascan.messages.notices import build_notice_fields
from cascan.messages.send_next import Listener, Sender
from cascan.messages.work import MessageWork
from cascan.model.certificate import CertificateWatch, WatchedCertificate
from cascan.model.exposure import Exposure, ExposureSubject, JudgedLook
from cascan.model.finding import Severity
from cascan.model.message import Delivery, DeliveryState, OutgoingMessage
from cascan.model.mute import StoredMute
from on_message_due.take_turns import TurnGateways, TurnOutcome, take_turns
from on_minute_passed.end_mutes import MuteContext, end_mutes
from tests.fakes import MemoryEventBus
from tests.fakes.cascades import MemoryRequestQueue
from tests.fakes.message_threads import MemoryMessageThreads
from tests.fakes.mutes import MemoryMutes

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DELIVERED, BUSY = Delivery(DeliveryState.DELIVERED), Delivery(DeliveryState.BUSY, "answered 503")
MISSED = build_notice_fields("scan-missed", "Scheduled scan failed", "why", Severity.HIGH, subject="nightly")


class Killed(Exception):
    """The process ends here."""


class Channel:
    def __init__(self, *deliveries: Delivery) -> None:
        self.deliveries = list(deliveries)
        self.messages: list[dict[str, Any]] = []

    def send(self, message: OutgoingMessage) -> Delivery:
        delivery = self.deliveries.pop(0) if self.deliveries else DELIVERED
        if delivery is DELIVERED:
            self.messages.append(json.loads(message.body))
        return delivery

    @property
    def steps(self) -> list[str]:
        return [message["step"] for message in self.messages]


class World:
    """A stack whose queue is delivered by hand."""

    def __init__(self, *deliveries: Delivery, channels: tuple[str, ...] = ("team",)) -> None:
        self.now = NOON
        self.exposures: dict[str, Exposure] = {}
        self.series: dict[str, str] = {}  # by scan
        self.owners: dict[str, str] = {}  # by address
        self.quiet: dict[str, tuple[str, ...]] = {}  # by channel
        self.mutes, self.threads, self.queue = MemoryMutes(), MemoryMessageThreads(), MemoryRequestQueue()
        self.channels = {name: Channel(*deliveries) for name in channels}
        self.gateways = TurnGateways(
            exposures=SimpleNamespace(get_exposure=self.exposures.get),
            scans=SimpleNamespace(get_scan=self._get_scan),
            mutes=self.mutes,
            certificates=self.threads,
            bus=MemoryEventBus(),
            owners=SimpleNamespace(find_owner=lambda address, names: self.owners.get(address, "")),
            channels=SimpleNamespace(open=self._open),
            queue=self.queue,
            clock=lambda: self.now,
        )

    def _get_scan(self, scan_id: str) -> Any:
        return SimpleNamespace(name=self.series.get(scan_id, ""))

    def _open(self) -> tuple[ChannelFile, tuple[Listener, ...]]:
        listeners = []
        for name, channel in self.channels.items():
            settings = ChannelSettings(
                name=name,
                webhook="http://127.0.0.1",
                audience=Audience(),
                notices=name != "quiet",
                quiet=self.quiet.get(name, ()),
            )
            listeners.append(Listener(settings, Sender(name, channel, self.threads, lambda: self.now)))
        return ChannelFile(), tuple(listeners)

    def mute(self, mute_id: str = "m1", minutes: int = 60, **selection: Any) -> StoredMute:
        mute = StoredMute(
            mute_id=mute_id, begins_at=self.now, ends_at=self.now + minutes * MINUTE, revision=1, **selection
        )
        assert self.mutes.put_mute(mute)
        return mute

    def look(
        self,
        *holds: bool,
        address: str = "10.0.0.9",
        owner: str = "",
        scan_id: str = "s",
        severity: Severity = Severity.MEDIUM,
    ) -> Exposure:
        """Each look is a minute after the one before, and the message queue hears of the exposure."""
        subject = ExposureSubject(vantage="default", address=address, protocol="tcp", port=23, kind="unexpected-open")
        exposure = replace(start_exposure(subject), owner=owner, severity=severity)
        exposure = self.exposures.get(exposure.exposure_id, exposure)
        for shows in holds:
            self.now += MINUTE
            look = JudgedLook(seen_at=self.now, report_key=str(self.now), holds=shows, scan_id=scan_id)
            exposure = add_looks(exposure, [look], self.now)
            self.exposures[exposure.exposure_id] = exposure
            self.say(f"exposure/{exposure.exposure_id}")
        return exposure

    def say(self, key: str, **notice: str) -> TurnOutcome:
        return take_turns(MessageWork(scan_id="", cause_id="c", key=key, notice=notice), self.gateways)

    def wait(self, minutes: int) -> None:
        self.now += minutes * MINUTE

    def tick(self) -> int:
        """A minute's tick, and every message of the queue until there are no more."""
        ended = end_mutes(MuteContext(self.mutes, self.queue, lambda: self.now))
        self.deliver()
        return ended

    def deliver(self) -> None:
        while self.queue.sent:
            work = MessageWork.from_wire(self.queue.sent.pop(0))
            take_turns(work, self.gateways)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return self.channels["team"].messages

    @property
    def steps(self) -> list[str]:
        return self.channels["team"].steps


def test_while_muted_nothing_is_said_and_afterwards_what_is_still_true() -> None:
    world = World()
    world.mute()
    world.look(True, True)
    assert (world.steps, world.tick()) == ([], 0)
    world.wait(60)
    assert world.tick() == 1
    assert world.steps == ["confirmed"]
    assert world.tick() == 0
    assert world.steps == ["confirmed"]


def test_what_came_and_went_is_said_once_on_each_channel_with_counts_and_the_first_lines() -> None:
    world = World(channels=("team", "quiet"))
    world.mute(reason="new firewall")
    for number in range(MAX_SUMMARY_LINES + 2):
        world.look(True, True, False, False, address=f"10.0.0.{number + 1}")
    world.wait(60)
    assert world.tick() == 1
    assert world.tick() == 0
    for channel in world.channels.values():
        (summary,) = channel.messages
        assert summary["title"] == "A mute has ended: 7 exposures came and went meanwhile"
        assert summary["sentence"].startswith("Confirmed and resolved again: 10.0.0.")
        assert summary["sentence"].count("tcp/23 unexpected-open (MEDIUM); ") == MAX_SUMMARY_LINES
        assert summary["sentence"].endswith("; and 2 more.")
        assert summary["why"] == "new firewall"


def test_a_summary_names_the_most_severe_exposures_and_then_in_order_of_address() -> None:
    world = World()
    world.mute()
    severe = {"10.0.0.200", "10.0.0.31"}
    for address in ("10.0.0.100", "10.0.0.9", "10.0.0.200", "10.0.0.30", "10.0.0.4", "10.0.0.31", "10.0.0.50"):
        severity = Severity.HIGH if address in severe else Severity.LOW
        world.look(True, True, False, False, address=address, severity=severity)
    world.wait(60)
    world.tick()
    (summary,) = world.messages
    named = re.findall(r"10\.0\.0\.\d+", summary["sentence"])
    assert named == ["10.0.0.31", "10.0.0.200", "10.0.0.4", "10.0.0.9", "10.0.0.30"]


def test_a_mute_of_the_file_of_channels_has_a_summary_too() -> None:
    world = World()
    mutes = [Mute(begins_at=world.now, ends_at=world.now + 60 * MINUTE, why="new firewall")]
    store_file_mutes(mutes, world.mutes, world.now, by="ann")
    world.look(True, True, False, False)
    world.say("scan/a/failed", **MISSED)
    assert world.messages == []
    world.wait(60)
    world.tick()
    assert [message["kind"] for message in world.messages] == ["scan-missed", "mute-ended"]


def test_an_owner_mutes_the_certificates_of_the_hosts_of_their_groups() -> None:
    world = World()
    world.owners["10.0.0.9"] = "ann"
    ending = WatchedCertificate(
        vantage="default", address="10.0.0.9", port=443, not_after=NOON + timedelta(days=3), name="a.test", seen_at=NOON
    )
    assert world.threads.put_certificate_watch(CertificateWatch(version=1, certificates=(ending,)))
    world.mute("m1", owners=("bob",))
    assert world.say(ending.key).held_by == ""
    world.mute("m2", owners=("ann",))
    assert world.say(ending.key).held_by == "m2"
    assert [message["owner"] for message in world.messages] == ["ann"]


def test_an_exposure_that_was_said_before_the_mute_is_resolved_in_its_thread_and_not_in_the_summary() -> None:
    world = World()
    world.look(True, True)
    world.mute()
    world.look(False, False)
    assert world.steps == ["confirmed"]
    world.wait(60)
    world.tick()
    assert world.steps == ["confirmed", "resolved"]


def test_what_no_second_look_confirmed_is_not_counted() -> None:
    world = World()
    world.mute()
    world.look(True, False, False)
    world.wait(60)
    world.tick()
    assert world.messages == []


def test_a_notice_is_said_after_the_end_and_once() -> None:
    world = World()
    world.mute()
    for _ in range(2):
        assert world.say("scan/a/failed", **MISSED).held_by == "m1"
    world.wait(60)
    world.tick()
    world.say("scan/a/failed", **MISSED)
    assert [message["title"] for message in world.messages] == ["Scheduled scan failed"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0)])
def test_of_a_notice_that_is_over_when_the_mute_ends_nothing_is_said(order: tuple[int, ...]) -> None:
    world = World()
    world.mute()
    details = ("2026-11-02T12:00:00Z/s1", "2026-11-02T13:00:00Z/s2")
    for number in order:
        notice = MISSED | {"step": ("notice", "resolved")[number]}
        work = MessageWork(scan_id="", cause_id="c", key="series/a", notice=notice, detail=details[number])
        assert take_turns(work, world.gateways).held_by
    world.wait(60)
    world.tick()
    assert world.messages == []


@pytest.mark.parametrize(
    ("selection", "is_muted"),
    [
        ({}, True),
        ({"networks": ("10.0.0.0/24",)}, True),
        ({"networks": ("10.0.1.0/24", "fd00::/64")}, False),
        ({"owners": ("ann",)}, True),
        ({"owners": ("bob",)}, False),
        ({"series": ("nightly",)}, True),
        ({"series": ("weekly",)}, False),
    ],
)
def test_a_mute_selects_by_network_owner_or_series(selection: dict[str, Any], is_muted: bool) -> None:
    world = World()
    world.series["s"] = "nightly"
    world.mute(**selection)
    world.look(True, True, owner="ann")
    assert world.steps == ([] if is_muted else ["confirmed"])


def test_a_series_mutes_its_notices_and_a_network_mutes_none() -> None:
    world = World()
    world.mute("m1", networks=("0.0.0.0/0",))
    assert world.say("scan/a/failed", **MISSED).held_by == ""
    world.mute("m2", series=("nightly",))
    assert world.say("scan/b/failed", **MISSED).held_by == "m2"


def test_a_certificate_is_said_after_the_end_as_it_is_then() -> None:
    world = World()
    ending = WatchedCertificate(
        vantage="default", address="10.0.0.9", port=443, not_after=NOON + timedelta(days=3), name="a.test", seen_at=NOON
    )
    assert world.threads.put_certificate_watch(CertificateWatch(version=1, certificates=(ending,)))
    world.mute(networks=("10.0.0.0/24",))
    assert world.say(ending.key).held_by == "m1"
    world.wait(61)
    world.tick()
    assert [message["kind"] for message in world.messages] == ["certificate-ending"]


def test_what_a_person_asks_for_and_a_try_of_a_channel_are_not_muted() -> None:
    world = World()
    exposure = world.look(True)
    world.mute()
    world.say("test/a", **build_notice_fields("test", "A try", "now", Severity.INFORMATIONAL))
    asked = MessageWork(scan_id="", cause_id="ann", key=f"exposure/{exposure.exposure_id}", retries=True)
    assert take_turns(asked, world.gateways).held_by == ""
    assert [message["title"] for message in world.messages] == ["A try"]


def test_of_two_mutes_the_longer_one_counts_what_both_held() -> None:
    world = World()
    world.mute("short", 30)
    world.look(True, True, False, False)
    world.mute("long", 120, networks=("10.0.0.0/24",))
    world.wait(40)
    assert world.tick() == 1
    assert world.messages == []
    world.wait(120)
    world.tick()
    (summary,) = world.messages
    assert summary["subject"] == "long"


def test_an_end_that_is_noticed_late_twice_and_out_of_order_is_said_once() -> None:
    world = World()
    world.mute()
    world.look(True, True, False, False)
    world.look(True, True, address="10.0.0.8")
    world.say("mute/m1")  # too early
    assert world.messages == []
    world.wait(3_000)
    context = MuteContext(world.mutes, world.queue, lambda: world.now)
    assert (end_mutes(context), end_mutes(context)) == (1, 1)
    sent = [*world.queue.sent]
    world.deliver()
    world.queue.sent[:] = sent[::-1]  # the queue delivers again
    world.deliver()
    assert sorted(world.steps) == ["confirmed", "notice"]


def test_many_held_threads_are_worked_off_in_pages_and_short_of_time_by_the_next_tick() -> None:
    world = World()
    world.mute(minutes=600)
    number = MAX_HELD_PER_PAGE + 3
    for host in range(number):
        world.look(True, True, False, False, address=f"10.0.1.{host}")
    world.wait(600)
    left = [100.0, 0.0]
    ending = MessageWork(scan_id="", cause_id="c", key="mute/m1")
    outcome = take_turns(ending, world.gateways, left_s=lambda: left.pop(0) if left else 0.0)
    assert outcome.held_sent == MAX_HELD_PER_PAGE
    assert not world.mutes.mutes["m1"].is_read
    world.tick()
    assert [message["title"] for message in world.messages] == [
        f"A mute has ended: {number} exposures came and went meanwhile"
    ]


@pytest.mark.parametrize("at", range(1, 12))
def test_a_turn_that_is_killed_before_any_write_is_continued_and_says_nothing_twice(
    at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    world.mute()
    world.look(True, True, False, False)
    world.look(True, True, address="10.0.0.8")
    world.wait(60)
    writes = 0

    def kill_before(write: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            nonlocal writes
            writes += 1
            if writes == at:
                raise Killed
            return write(*args, **kwargs)

        return wrapped

    monkeypatch.setattr(world.mutes, "put_mute", kill_before(world.mutes.put_mute))
    monkeypatch.setattr(world.queue, "send", kill_before(world.queue.send))
    monkeypatch.setattr(world.mutes, "hold_message", kill_before(world.mutes.hold_message))
    for _ in range(4):
        delivered = [*world.queue.sent]
        try:
            world.tick()
        except (Killed, GatewayUnavailable):
            world.queue.sent[:] = delivered + world.queue.sent  # what was not done comes back
        world.wait(1)
    assert sorted(world.steps) == ["confirmed", "notice"]
    assert world.mutes.mutes["m1"].closed_at


def test_a_message_that_is_held_while_the_mute_ends_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    mute = world.mute()
    hold = world.mutes.hold_message

    def end_meanwhile(*args: Any) -> None:
        hold(*args)
        world.mutes.put_mute(replace(mute, ends_at=world.now, revision=2))

    world.look(True)
    monkeypatch.setattr(world.mutes, "hold_message", end_meanwhile)
    world.look(True)
    assert world.steps == ["confirmed"]
    world.wait(1)
    world.tick()
    assert world.steps == ["confirmed"]


def test_a_busy_channel_gets_the_same_summary_later() -> None:
    world = World(BUSY)
    world.mute()
    world.look(True, True, False, False)
    world.wait(60)
    end_mutes(MuteContext(world.mutes, world.queue, lambda: world.now))
    for _ in range(6):
        sent, world.queue.sent[:] = [*world.queue.sent], []
        for body in sent:
            take_turns(MessageWork.from_wire(body), world.gateways)
        world.wait(1)
    assert world.steps == ["notice"]
    assert world.mutes.mutes["m1"].closed_at
