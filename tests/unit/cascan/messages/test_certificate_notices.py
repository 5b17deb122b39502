"""A certificate that ends soon is said once for each threshold; a renewed one closes the thread."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from cascan.errors import GatewayUnavailable, RequestRefused
from cascan.limits import CERTIFICATE_SEEN_DAYS, MAX_CERTIFICATE_NOTICES, MAX_WATCHED_CERTIFICATES
from cascan.messages.channel_settings import CERTIFICATE_DAYS, ChannelSettings
from cascan.messages.decide_exposure import Audience
from cascan.messages.read_channels import read_channels
from cascan.messages.render import Format
from cascan.messages.review_certificates import review_certificates
from cascan.messages.send_certificate_message import send_certificate_message
from cascan.messages.send_next import Listener, Sender
from cascan.messages.send_notice import send_notice
from cascan.messages.watch_certificates import read_certificate, update_watch
from cascan.messages.work import MessageWork
from cascan.model.certificate import CertificateDay, CertificateWatch, WatchedCertificate
from cascan.model.finding import Finding
from cascan.model.message import Delivery, DeliveryState, OutgoingMessage
from tests.fakes.message_threads import MemoryMessageThreads
from tests.support.cascading import a_finding

START = datetime(2026, 11, 2, 12, tzinfo=UTC)
CAUSE = MessageWork(scan_id="s", cause_id="c", key="certificates/s")


class Stack:
    """Threads, the watched certificates and a channel, at a time that passes."""

    def __init__(self) -> None:
        self.store = MemoryMessageThreads()
        self.now = START
        self.heard: list[OutgoingMessage] = []
        settings = ChannelSettings(name="team", webhook="https://a.test")
        self.listener = Listener(settings, Sender("team", self, self.store, lambda: self.now))

    def send(self, message: OutgoingMessage) -> Delivery:
        self.heard.append(message)
        return Delivery(DeliveryState.DELIVERED)

    def scan(self, *seen: WatchedCertificate, day: float, days: Sequence[int] = CERTIFICATE_DAYS) -> list[str]:
        """A scan of that day saw these: the titles that it leads to."""
        self.now = START + timedelta(days=day)
        before = len(self.heard)
        certificates = [replace(certificate, seen_at=self.now) for certificate in seen]
        for work in review_certificates(CAUSE, certificates, self.store, self.now, days):
            if work.notice:
                send_notice(work.key, work.notice, self.listener)
            else:
                self.take_turn(work.key, days)
        return [message.title for message in self.heard[before:]]

    def take_turn(self, key: str, days: Sequence[int] = CERTIFICATE_DAYS) -> None:
        (certificate,) = (entry for entry in self.store.watch.certificates if entry.key == key)
        send_certificate_message(certificate, self.listener, days)


@pytest.fixture
def stack() -> Stack:
    return Stack()


def a_certificate(ends_in: float, **fields: Any) -> WatchedCertificate:
    plain: dict[str, Any] = {"vantage": "default", "address": "10.0.0.9", "port": 443, "name": "shop.example.com"}
    return WatchedCertificate(not_after=START + timedelta(days=ends_in), seen_at=START, **(plain | fields))


def test_each_threshold_is_said_once_and_a_renewed_certificate_closes_the_thread(stack: Stack) -> None:
    soon = a_certificate(30)
    assert stack.scan(soon, day=0) == []
    assert stack.scan(soon, day=9.5) == ["Certificate ends in 20 days: 10.0.0.9 tcp/443 (LOW)"]
    assert stack.scan(soon, day=10) == []
    assert stack.scan(soon, day=24) == ["Certificate ends in 6 days: 10.0.0.9 tcp/443 (MEDIUM)"]
    assert stack.scan(soon, day=29.5) == ["Certificate ends within a day: 10.0.0.9 tcp/443 (MEDIUM)"]
    assert stack.scan(soon, day=31) == ["Certificate has ended: 10.0.0.9 tcp/443 (HIGH)"]
    assert stack.scan(soon, day=32) == []
    renewed = a_certificate(400)
    assert stack.scan(renewed, day=33) == ["Certificate renewed: 10.0.0.9 tcp/443 (INFORMATIONAL)"]
    assert stack.scan(renewed, day=34) == []
    assert {message.key for message in stack.heard} == {"certificate/default/10.0.0.9/443"}


def test_a_threshold_that_no_scan_saw_is_left_out(stack: Stack) -> None:
    assert stack.scan(a_certificate(3), day=0) == ["Certificate ends in 3 days: 10.0.0.9 tcp/443 (MEDIUM)"]


def test_a_turn_that_is_taken_twice_and_late_says_nothing_twice(stack: Stack) -> None:
    soon = a_certificate(20)
    stack.scan(soon, day=0)
    stack.take_turn(soon.key)
    assert len(stack.heard) == 1
    stack.scan(a_certificate(400), day=1)
    stack.take_turn(soon.key)
    assert len(stack.heard) == 2


def test_an_earlier_scan_that_comes_late_changes_nothing(stack: Stack) -> None:
    stack.scan(a_certificate(20), day=5)
    stack.scan(a_certificate(400), day=6)
    now = stack.now
    late = replace(a_certificate(20), seen_at=START)
    assert list(review_certificates(CAUSE, [late], stack.store, now, CERTIFICATE_DAYS)) == []


def test_a_process_that_ends_before_a_turn_is_repeated(stack: Stack) -> None:
    works = review_certificates(CAUSE, [a_certificate(20)], stack.store, START, CERTIFICATE_DAYS)
    assert next(works).key == "certificate/default/10.0.0.9/443"
    del works
    assert len(stack.scan(a_certificate(20), day=0)) == 1


def test_a_certificate_that_is_replaced_by_one_that_ends_soon_is_said_again(stack: Stack) -> None:
    stack.scan(a_certificate(20), day=0)
    assert stack.scan(a_certificate(15), day=1) == ["Certificate ends in 14 days: 10.0.0.9 tcp/443 (LOW)"]


def test_the_first_watched_certificate_plans_the_daily_check(stack: Stack) -> None:
    stack.scan(day=0)
    assert stack.store.day is None
    stack.scan(a_certificate(80), day=0.25)
    assert stack.store.day == CertificateDay(due_at=datetime(2026, 11, 3, 0, 1, tzinfo=UTC))
    stack.scan(day=5)
    assert stack.store.day == CertificateDay(due_at=datetime(2026, 11, 3, 0, 1, tzinfo=UTC))  # on_minute_passed goes on


@pytest.mark.parametrize(("owner", "titles"), [("", 1), ("ann", 1), ("bob", 0)])
def test_a_certificate_is_announced_to_the_owner_of_its_host_and_without_one_to_all(
    stack: Stack, owner: str, titles: int
) -> None:
    settings = replace(stack.listener.settings, audience=Audience(owners=("ann",)))
    listener = replace_settings(stack.listener, settings)
    send_certificate_message(a_certificate(5, owner=owner), listener, CERTIFICATE_DAYS)
    assert [json.loads(message.body).get("owner", "") for message in stack.heard] == [owner] * titles


def test_a_thread_of_a_certificate_goes_on_after_its_host_has_another_owner(stack: Stack) -> None:
    settings = replace(stack.listener.settings, audience=Audience(owners=("ann",)))
    listener = replace_settings(stack.listener, settings)
    send_certificate_message(a_certificate(5, owner="ann"), listener, CERTIFICATE_DAYS)
    send_certificate_message(a_certificate(400, owner="bob"), listener, CERTIFICATE_DAYS)
    assert ["renewed" in message.title for message in stack.heard] == [False, True]


def replace_settings(listener: Listener, settings: ChannelSettings) -> Listener:
    return Listener(settings, listener.sender)


def test_of_many_certificates_a_scan_says_a_bounded_number_and_counts_the_others(stack: Stack) -> None:
    many = [a_certificate(5, port=port) for port in range(1, MAX_CERTIFICATE_NOTICES + 4)]
    titles = stack.scan(*many, day=0)
    assert len(titles) == MAX_CERTIFICATE_NOTICES + 1
    assert titles[-1] == "3 more certificates end within 21 days, or have ended (MEDIUM)"
    assert stack.scan(*many, day=1) == []


def test_the_watch_is_bounded_and_forgets_what_was_not_seen_of_late_or_ended_long_ago() -> None:
    many = [a_certificate(5 + port / 1_000, port=port) for port in range(1, MAX_WATCHED_CERTIFICATES + 2)]
    watch = update_watch(CertificateWatch(), many, START)
    assert [certificate.port for certificate in watch.certificates] == list(range(1, MAX_WATCHED_CERTIFICATES + 1))
    later = START + timedelta(days=CERTIFICATE_SEEN_DAYS + 1)
    assert update_watch(watch, [], later).certificates == ()
    assert update_watch(CertificateWatch(), [a_certificate(-91)], START).certificates == ()
    assert update_watch(CertificateWatch(), [a_certificate(91)], START).certificates == ()


def test_of_several_names_at_a_place_the_certificate_that_ends_first_counts() -> None:
    first, other = a_certificate(5, name="a"), a_certificate(9, name="b")
    assert update_watch(CertificateWatch(), [other, first], START).certificates == (first,)


def test_without_thresholds_nothing_is_said(stack: Stack) -> None:
    assert stack.scan(a_certificate(5), day=0, days=()) == []


def test_writers_that_are_always_faster_end_the_review(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack.store, "put_certificate_watch", lambda _: False)
    with pytest.raises(GatewayUnavailable):
        stack.scan(a_certificate(5), day=0)


def found(**attributes: Any) -> Finding:
    plain = {"ip_addresses": ["10.0.0.9"], "port": 443, "protocol": "tcp", "not_after": "2026-12-01T00:00:00Z"}
    return a_finding(category="TLS Certificate", attributes=plain | attributes)


@pytest.mark.parametrize(
    "attributes", [{"not_after": None}, {"not_after": "soon"}, {"not_after": "2026-12-01"}, {"port": None}]
)
def test_a_finding_without_a_place_or_an_end_is_not_watched(attributes: dict[str, Any]) -> None:
    assert read_certificate(found(**attributes), "default", START) is None


def test_the_name_of_a_certificate_is_inert_in_the_message(stack: Stack) -> None:
    hostile = found(names=["<!channel>\x1b[31m https://evil.test " + "x" * 5_000], not_after="2026-11-05T00:00:00Z")
    certificate = read_certificate(hostile, "default", START)
    assert certificate
    slack = Listener(replace(stack.listener.settings, format=Format.SLACK), stack.listener.sender)
    send_certificate_message(certificate, slack, CERTIFICATE_DAYS)
    (message,) = stack.heard
    assert "<!channel>" not in message.body
    assert "\\u001b" not in message.body
    assert "https://evil" not in message.body
    assert len(message.body) < 1_500


@pytest.mark.parametrize(
    ("text", "days"), [("{}", (21, 7, 1)), ("certificateDays: []", ()), ("certificateDays: [30]", (30,))]
)
def test_the_file_of_channels_has_the_thresholds(text: str, days: tuple[int, ...]) -> None:
    assert read_channels(text).certificate_days == days


@pytest.mark.parametrize("value", ["30", "[0]", "[91]", "[true]", "['7']", f"{[1] * 11}", "{}"])
def test_other_thresholds_are_refused_with_the_field(value: str) -> None:
    with pytest.raises(RequestRefused, match="certificateDays: has to be a list of at most 10 numbers from 1 to 90"):
        read_channels(f"certificateDays: {value}")
