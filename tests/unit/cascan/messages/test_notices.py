"""Notices, digests and mutes: what is said besides exposures, and what is not said for a while."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from cascan.errors import MalformedMessage
from cascan.events import MessageReady, ScanCompleted, ScanFailed, ScheduleSkipped
from cascan.messages.channel_settings import ChannelSettings
from cascan.messages.send_next import Listener, Sender, Turn
from cascan.messages.send_notice import send_notice
from cascan.messages.series_notices import DIGEST, build_digest
from cascan.messages.work import MessageWork, continue_on, read_message_work
from cascan.model.message import Delivery, DeliveryState, OutgoingMessage
from cascan.model.scan import Counts, Outcome, ScanState
from tests.data.envelopes.build import bus_event
from tests.fakes.message_threads import MemoryMessageThreads

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
ABOUT: dict[str, Any] = {"scan_id": "s", "cause_id": "c", "event_id": "e", "at": NOON, "name": "office"}
SCHEDULED = ABOUT | {"labels": {"cascan/schedule": "nightly"}}
ENDED: dict[str, Any] = {
    "state": ScanState.DONE,
    "outcome": Outcome.PARTIAL,
    "requested_at": NOON,
    "finished_at": NOON,
    "addresses": 256,
    "shards": 2,
    "shard_outcomes": {"partial": 1, "complete": 1},
    "hosts_up": 5,
    "findings": Counts(),
    "changes": {"PortOpened": 2, "HostGone": 1},
}


def list_works(event: Any) -> list[MessageWork]:
    works = read_message_work(json.dumps(bus_event(event)))
    assert all(isinstance(work, MessageWork) for work in works)
    return [work for work in works if isinstance(work, MessageWork)]


def test_a_partial_scan_of_a_schedule_is_a_notice_and_its_findings_are_reviewed() -> None:
    event = ScanCompleted(**SCHEDULED, **ENDED)
    partial, reviewed = read_message_work(json.dumps(bus_event(event)))
    assert isinstance(partial, MessageWork)
    assert (partial.key, partial.notice["title"]) == ("scan/s/partial", "Scheduled scan is partial: nightly (MEDIUM)")
    assert partial.notice["sentence"] == "shards: 1 complete, 1 partial"
    assert reviewed == event
    assert len(read_message_work(json.dumps(bus_event(ScanCompleted(**ABOUT, **ENDED))))) == 1


def test_the_digest_of_a_scan_that_is_not_compared_has_the_counts_of_its_event() -> None:
    key, fields = build_digest(ScanCompleted(**ABOUT, **ENDED), None)
    assert (key, fields["kind"]) == ("scan/s/digest", DIGEST)
    assert fields["sentence"] == "Since the last scan: 1 hosts gone, 2 ports opened. It is partial."


def test_a_scheduled_scan_that_failed_is_a_notice_and_that_of_a_person_is_none() -> None:
    (failed,) = list_works(ScanFailed(**SCHEDULED, reason="no host", refused=True))
    assert failed.notice["title"] == "Scheduled scan was refused: nightly (HIGH)"
    assert list_works(ScanFailed(**ABOUT, reason="no host", refused=True)) == []


def test_a_blackout_is_milder_than_a_scan_that_is_late() -> None:
    skipped = ScheduleSkipped(
        **ABOUT, schedule="nightly", due_at=NOON, kind="blackout", reason="a holiday", retried=False
    )
    assert [work.notice["severity"] for work in list_works(skipped)] == ["LOW"]
    assert [work.notice["severity"] for work in list_works(replace(skipped, retried=True))] == ["MEDIUM"]


def test_a_message_that_came_back_from_the_bus_is_recognised() -> None:
    ready = MessageReady(**ABOUT, channel="team", thread="a", title="b", document={})
    assert read_message_work(json.dumps(bus_event(ready))) == [ready]


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"detail-type": 5}', '{"detail-type": "Other"}', "[" * 100_000])
def test_another_message_is_malformed(body: str) -> None:
    with pytest.raises(MalformedMessage):
        read_message_work(body)


class CountingChannel:
    def __init__(self) -> None:
        self.titles: list[str] = []

    def send(self, message: OutgoingMessage) -> Delivery:
        self.titles.append(message.title)
        return Delivery(DeliveryState.DELIVERED)


@pytest.mark.parametrize(
    ("kind", "options", "count"),
    [
        ("scan-missed", {}, 1),
        ("scan-missed", {"notices": False}, 0),
        (DIGEST, {}, 0),
        (DIGEST, {"digest": True, "notices": False}, 1),
    ],
)
def test_a_notice_is_said_once_to_channels_that_want_it(kind: str, options: dict[str, Any], count: int) -> None:
    channel = CountingChannel()
    settings = ChannelSettings(name="team", webhook="https://a.test", **options)
    listener = Listener(settings, Sender("team", channel, MemoryMessageThreads(), lambda: NOON))
    notice = {"title": "a", "kind": kind, "severity": "LOW", "sentence": "b", "step": "notice"}
    for _ in range(2):
        send_notice("scan/s/x", notice, listener)
    assert len(channel.titles) == count


def test_a_repeat_that_a_person_asked_for_is_made_once() -> None:
    work = MessageWork(scan_id="", cause_id="ann", key="exposure/e", retries=True)
    again = continue_on(work, "shop", Turn(again_at=NOON, waits_for_look=True))
    assert (again.channel, again.is_due, again.retries) == ("shop", True, False)
