"""on_message_due: a move of an exposure becomes a message, once, and what a channel does not take is kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from cascan.aws import clients
from cascan.aws.tables.message_table import DynamoMessageTable
from cascan.aws.tables.mute_table import DynamoMuteTable
from cascan.events import ExposureEvent, ScheduleSkipped, build_exposure_event
from cascan.exposure.life import add_looks, start_exposure
from cascan.findings import build_findings
from cascan.findings.by_host import group_by_host
from cascan.messages.work import MessageWork
from cascan.model.certificate import CertificateWatch, WatchedCertificate
from cascan.model.exposure import Exposure, ExposureSubject, JudgedLook, StoredExpectations
from cascan.model.finding import Severity
from cascan.model.message import AttemptState, StoredChannels
from cascan.model.mute import StoredMute
from cascan.model.scan import Counts, Outcome, ScanState
from cascan.scans.close import build_end_event
from tests.data.envelopes.build import bus_event, sqs_event
from tests.data.reports import hosts
from tests.integration.handlers.conftest import ColdStart, Function
from tests.integration.handlers.stack import TABLE, Stack
from tests.support.builders import a_scan
from tests.support.cascading import a_finding
from tests.support.message_sink import serve_sink

NOW = datetime.now(UTC)
SUBJECT = ExposureSubject(vantage="default", address="10.0.0.9", protocol="tcp", port=23, kind="unexpected-open")
LOOKS = [JudgedLook(seen_at=NOW, report_key=f"report {number}", holds=True) for number in (1, 2)]
EXPOSURE = replace(
    add_looks(start_exposure(SUBJECT), LOOKS, NOW), severity=Severity.HIGH, sentence="tcp/23 is open", revision=1
)
KEY = f"exposure/{EXPOSURE.exposure_id}"


@pytest.fixture
def on_message_due(cold_start: ColdStart) -> Function:
    return cold_start("on_message_due")


def store_channels(channels: str) -> DynamoMessageTable:
    table = DynamoMessageTable(TABLE)
    assert table.put_channels(StoredChannels(version=1, stored_at=NOW, text=f"channels: {channels}"))
    return table


def events_of(exposure: Exposure) -> list[ExposureEvent]:
    return [build_exposure_event(exposure, move) for move in exposure.pending]


def deliver(on_message_due: Function, *bodies: Any) -> None:
    """Each in an invocation of its own."""
    for body in bodies:
        message = body if isinstance(body, str) else bus_event(body)
        assert on_message_due(sqs_event(message))["batchItemFailures"] == []


def list_again(stack: Stack) -> list[MessageWork]:
    """What the function has sent to itself."""
    messages = clients.sqs().receive_message(
        QueueUrl=stack.queue_urls["messages"], MaxNumberOfMessages=10, WaitTimeSeconds=0
    )
    return [MessageWork.from_wire(message["Body"]) for message in messages.get("Messages", [])]


def test_two_moves_at_once_become_one_message(stack: Stack, on_message_due: Function) -> None:
    stack.table.put_exposure(EXPOSURE)
    with serve_sink() as sink:
        store_channels(f"{{team: {{webhook: '{sink.url}'}}}}")
        deliver(on_message_due, *events_of(EXPOSURE), *events_of(EXPOSURE))
    (post,) = sink.posts
    assert (post.document["step"], post.document["exposure_id"]) == ("confirmed", EXPOSURE.exposure_id)
    assert post.document["text"].startswith("Confirmed: 10.0.0.9 tcp/23 unexpected-open (HIGH)")


def test_a_busy_channel_has_the_message_again_with_a_delay_and_others_have_it_at_once(
    stack: Stack, on_message_due: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    delays: list[int] = []
    send = clients.sqs().send_message

    def send_message(**request: Any) -> Any:
        delays.append(request["DelaySeconds"])
        return send(**request)

    monkeypatch.setattr(clients.sqs(), "send_message", send_message)
    stack.table.put_exposure(EXPOSURE)
    with serve_sink() as sink, serve_sink(lambda: 503) as busy:
        table = store_channels(f"{{team: {{webhook: '{sink.url}'}}, ops: {{webhook: '{busy.url}'}}}}")
        deliver(on_message_due, events_of(EXPOSURE)[0])
    assert (len(sink.posts), busy.refused) == (1, 1)
    assert delays[-1] in (14, 15)
    (waiting,) = table.list_threads(AttemptState.WAITING)
    assert (waiting.key, waiting.channel) == (KEY, "ops")


def test_a_refused_message_is_parked_and_sent_when_a_person_asks(stack: Stack, on_message_due: Function) -> None:
    status = 404
    stack.table.put_exposure(EXPOSURE)
    with serve_sink(lambda: status) as sink:
        table = store_channels(f"{{team: {{webhook: '{sink.url}'}}}}")
        deliver(on_message_due, events_of(EXPOSURE)[0])
        (parked,) = table.list_threads(AttemptState.PARKED)
        assert parked.attempt
        assert "answered 404" in parked.attempt.reason
        status = 200
        deliver(on_message_due, MessageWork(scan_id="", cause_id="ann", key=KEY, retries=True).to_wire())
    assert len(sink.posts) == 1
    assert list(table.list_threads(AttemptState.PARKED)) == []


def test_a_skipped_schedule_is_a_notice(stack: Stack, on_message_due: Function) -> None:
    skipped = ScheduleSkipped(
        scan_id="", cause_id="c", event_id="e", at=NOW, name="nightly", schedule="nightly", due_at=NOW, kind="running",
        reason="an earlier one still runs", retried=True,
    )  # fmt: skip
    with serve_sink() as sink:
        store_channels(f"{{team: {{webhook: '{sink.url}'}}}}")
        deliver(on_message_due, skipped, skipped)
    (post,) = sink.posts
    assert post.document["title"] == "Scheduled scan did not start in time: nightly (MEDIUM)"
    assert stack.table


def test_of_an_ended_scan_of_a_series_the_digest_compares_the_findings(stack: Stack, on_message_due: Function) -> None:
    scan = a_scan(state=ScanState.PARSE_COMPLETED, outcome=Outcome.COMPLETE, requested_at=NOW, finished_at=NOW)
    earlier = replace(scan, scan_id="an-earlier-one", state=ScanState.DONE, requested_at=NOW - timedelta(hours=1))
    findings = list(build_findings(hosts("versions")[0], scan.scan_id, NOW, {}))
    for ended, count in ((earlier, 1), (scan, 2)):
        stack.store(ended)
        stack.table.put_findings(ended.scan_id, group_by_host(findings[:count]))
    event = build_end_event(scan)
    with serve_sink() as sink:
        store_channels(f"{{team: {{webhook: '{sink.url}', digest: true}}}}")
        deliver(on_message_due, event, event)
    (post,) = sink.posts
    sentence = "Since your last scan: 0 new (1 more where it did not look before), 0 resolved, 0 not covered."
    assert post.document["sentence"] == f"{sentence} It is complete."


def test_of_an_ended_scan_a_certificate_that_ends_soon_is_said_once(stack: Stack, on_message_due: Function) -> None:
    counts = Counts(count=1, categories={"TLS Certificate": 1})
    scan = a_scan(state=ScanState.DONE, outcome=Outcome.COMPLETE, name="", finished_at=NOW, findings=counts)
    until = {"not_after": (NOW + timedelta(days=6.5)).isoformat(), "names": ["shop.example.com"]}
    stack.store(scan)
    stack.table.put_findings(scan.scan_id, group_by_host([a_finding(category="TLS Certificate", attributes=until)]))
    event = build_end_event(scan)
    with serve_sink() as sink:
        store_channels(f"{{team: {{webhook: '{sink.url}'}}}}")
        deliver(on_message_due, event, event)
    (post,) = sink.posts
    assert post.document["title"] == "Certificate ends in 6 days: 10.0.0.1 tcp/443 (MEDIUM)"
    assert post.document["key"] == "certificate/default/10.0.0.1/443"


def test_a_channel_on_the_bus_is_an_event_and_one_that_came_back_is_put_there_again(
    stack: Stack, on_message_due: Function
) -> None:
    stack.table.put_exposure(EXPOSURE)
    store_channels("{slack: {bus: true, format: slack}}")
    deliver(on_message_due, events_of(EXPOSURE)[0])
    (ready,) = stack.heard()
    assert (ready["detail-type"], ready["detail"]["document"]["blocks"][0]["type"]) == ("MessageReady", "section")
    deliver(on_message_due, json.dumps(ready))
    assert [event["detail"] for event in stack.heard()] == [ready["detail"]]


@pytest.mark.parametrize(
    ("channel", "reason"),
    [
        ("{topic: true}", "the stack has no topic"),
        ("{command: [/bin/true]}", "commands run on one machine alone"),
        ("{apprise: /etc/apprise.yaml}", "services of Apprise run on one machine alone"),
        ("{parameter: /elsewhere/url}", "reads no parameters outside"),
    ],
)
def test_a_channel_that_the_stack_cannot_use_keeps_its_messages(
    channel: str, reason: str, stack: Stack, on_message_due: Function
) -> None:
    stack.table.put_exposure(EXPOSURE)
    table = store_channels(f"{{team: {channel}}}")
    deliver(on_message_due, events_of(EXPOSURE)[0])
    (waiting,) = table.list_threads(AttemptState.WAITING)
    assert waiting.attempt
    assert reason in waiting.attempt.reason
    assert [work.channel for work in list_again(stack)] == []  # delayed


def test_without_channels_and_for_other_events_nothing_happens(stack: Stack, on_message_due: Function) -> None:
    stack.table.put_exposure(EXPOSURE)
    deliver(on_message_due, events_of(EXPOSURE)[0])
    assert list(DynamoMessageTable(TABLE).list_threads(AttemptState.WAITING)) == []


def test_a_file_of_channels_counts_from_the_next_message_on(stack: Stack, on_message_due: Function) -> None:
    stack.table.put_exposure(EXPOSURE)
    deliver(on_message_due, events_of(EXPOSURE)[0])  # without a file
    with serve_sink() as sink:
        store_channels(f"{{team: {{webhook: '{sink.url}'}}}}")
        deliver(on_message_due, *events_of(EXPOSURE))
    assert len(sink.posts) == 1


def test_the_url_of_a_webhook_is_read_from_a_parameter(stack: Stack, cold_start: ColdStart) -> None:
    stack.table.put_exposure(EXPOSURE)
    with serve_sink() as sink:
        clients.ssm().put_parameter(Name="/mine/messages/team", Value=sink.url, Type="SecureString")
        store_channels("{team: {parameter: /mine/messages/team}}")
        deliver(cold_start("on_message_due", MESSAGES_PARAMETERS="/mine/messages/"), events_of(EXPOSURE)[0])
    assert len(sink.posts) == 1


def test_a_mute_holds_a_message_until_its_end_is_asked_for(stack: Stack, on_message_due: Function) -> None:
    stack.table.put_exposure(EXPOSURE)
    mutes = DynamoMuteTable(TABLE)
    mute = StoredMute(mute_id="m1", begins_at=NOW, ends_at=NOW + timedelta(hours=1), series=("nightly",), revision=1)
    scan = a_scan(scan_id="nightlyscan", name="nightly")
    stack.store(scan)
    exposure = replace(EXPOSURE, looks=tuple(replace(look, scan_id=scan.scan_id) for look in LOOKS), revision=2)
    assert stack.table.put_exposure(exposure)
    with serve_sink() as sink:
        store_channels(f"{{team: {{webhook: '{sink.url}'}}}}")
        assert mutes.put_mute(mute)
        deliver(on_message_due, *events_of(exposure))
        assert ([held.key for held in mutes.list_held("m1", after="", limit=9)], sink.posts) == ([KEY], [])
        assert mutes.put_mute(replace(mute, ends_at=NOW - timedelta(minutes=1), revision=2))
        deliver(on_message_due, MessageWork(scan_id="", cause_id="tick", key=mute.key).to_wire())
        (again,) = list_again(stack)
        deliver(on_message_due, again.to_wire())
    (post,) = sink.posts
    assert post.document["step"] == "confirmed"
    (closed,) = mutes.list_mutes()
    assert closed.closed_at


def test_certificates_that_end_soon_are_announced_once_a_day_to_the_owners_of_their_hosts(
    stack: Stack, on_message_due: Function
) -> None:
    groups = "groups: {shop: {owner: ann, hosts: [10.0.0.0/24]}}\nexpected: []"
    assert stack.table.put_expectations(StoredExpectations(version=1, text=groups, applied_at=NOW))
    ending = WatchedCertificate(
        vantage="default", address="10.0.0.9", port=443, not_after=NOW + timedelta(days=2), name="a.test", seen_at=NOW
    )
    with serve_sink() as sink, serve_sink() as other:
        table = store_channels(
            f"{{ann: {{webhook: '{sink.url}', owners: [ann]}}, bob: {{webhook: '{other.url}', owners: [bob]}}}}"
        )
        assert table.put_certificate_watch(CertificateWatch(version=1, certificates=(ending,)))
        day = MessageWork(scan_id="", cause_id="c", key="certificate-day/2026-12-01")
        deliver(on_message_due, day.to_wire(), day.to_wire())
    (post,) = sink.posts
    assert (post.document["kind"], post.document["owner"], other.posts) == ("certificate-ending", "ann", [])
    assert table.certificate_watch().certificates[0].announced == 7
    assert table.certificate_watch().certificates[0].owner == ""
