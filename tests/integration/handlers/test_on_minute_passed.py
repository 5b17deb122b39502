"""on_minute_passed: a tick does what is due, and the next one does it no second time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from cascan.aws import clients
from cascan.aws.tables.delayed_messages import DynamoDelayedMessages
from cascan.aws.tables.message_table import DynamoMessageTable
from cascan.aws.tables.mute_table import DynamoMuteTable
from cascan.aws.tables.schedule_table import DynamoScheduleTable
from cascan.clock import to_wire
from cascan.ids import ReportKey
from cascan.messages.work import MessageWork
from cascan.model.agenda import AgendaEntry, AgendaTask
from cascan.model.certificate import CertificateDay
from cascan.model.mute import StoredMute
from cascan.model.scan import Outcome, ScanState
from cascan.model.shard import ShardState
from tests.data.envelopes.build import recorded
from tests.integration.handlers.conftest import ColdStart, Function
from tests.integration.handlers.stack import TABLE, Stack
from tests.support.builders import SCAN_ID, a_scan, a_shard

PAST = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def on_minute_passed(cold_start: ColdStart) -> Function:
    return cold_start("on_minute_passed")


def test_a_tick_with_nothing_due_does_nothing(stack: Stack, on_minute_passed: Function) -> None:
    stack.table.add_to_agenda(AgendaEntry(datetime.now(UTC) + timedelta(hours=1), SCAN_ID, AgendaTask.DEADLINE))
    on_minute_passed(recorded("tick"))  # the first one remembers what the scan types are made of
    before = stack.items()
    nothing = {
        "done": {},
        "failures": [],
        "stuck": [],
        "retriggered": 0,
        "sent": 0,
        "exposure_day": False,
        "certificate_day": False,
        "ended_mutes": 0,
    }
    assert on_minute_passed(recorded("tick")) == nothing
    assert stack.items() == before


def test_a_scan_past_its_deadline_ends(stack: Stack, on_minute_passed: Function) -> None:
    stack.store(a_scan(deadline_at=PAST), a_shard())
    stack.table.add_to_agenda(AgendaEntry(PAST, SCAN_ID, AgendaTask.DEADLINE))
    assert on_minute_passed(recorded("tick"))["done"] == {"deadline": 1}
    assert (stack.shard(SCAN_ID).state, stack.scan(SCAN_ID).outcome) == (ShardState.FAILED, Outcome.TIMED_OUT)
    assert stack.heard_names() == ["ScanFailed"]
    assert on_minute_passed(recorded("tick"))["done"] == {}


def test_an_expired_scan_leaves_neither_items_nor_any_version_of_an_object(
    stack: Stack, on_minute_passed: Function
) -> None:
    on_minute_passed(recorded("tick"))
    before = stack.items()
    stack.store(a_scan(state=ScanState.DONE, shards_open=0), a_shard(state=ShardState.RECORDED))
    for _ in range(2):
        stack.put_report(ReportKey(SCAN_ID, 0, 1), b"<nmaprun/>")
    stack.table.add_to_agenda(AgendaEntry(PAST, SCAN_ID, AgendaTask.EXPIRE))
    on_minute_passed(recorded("tick"))
    assert (stack.items(), stack.keys()) == (before, [])


def test_a_message_that_was_put_off_is_sent_when_it_is_due_and_once(stack: Stack, on_minute_passed: Function) -> None:
    put_off = DynamoDelayedMessages(stack.table._table.name)
    put_off.send("later", delay_s=3_600)
    for _ in range(2):
        put_off.send("now")
    assert on_minute_passed(recorded("tick"))["sent"] == 2  # of two moments; of one moment it would be one
    assert [message["body"] for message in stack.received("schedules")] == ["now", "now"]
    assert on_minute_passed(recorded("tick"))["sent"] == 0


def test_s6_a_tick_after_a_deployment_with_another_scanner_tells_its_schedules_once(
    stack: Stack, cold_start: ColdStart
) -> None:
    spec = {"retriggerOnScanTypeChange": True, "scanSpec": {"scanType": "nmap", "parameters": ["127.0.0.1"]}}
    DynamoScheduleTable(TABLE).put_schedule("nightly", {"spec": spec})
    assert cold_start("on_minute_passed")(recorded("tick"))["retriggered"] == 0
    deployed = cold_start("on_minute_passed", SCAN_TYPE_NMAP="layer:2 0.1.0 safe")
    assert [deployed(recorded("tick"))["retriggered"] for _ in range(2)] == [1, 0]
    (sent,) = stack.received("schedules")
    assert (json.loads(sent["body"])["schedule"], json.loads(sent["body"])["kind"]) == ("nightly", "retrigger")


def test_a_deed_that_fails_is_told_and_left_for_the_next_tick(stack: Stack, cold_start: ColdStart) -> None:
    on_minute_passed = cold_start("on_minute_passed", REPORT_BUCKET="gone")
    stack.store(a_scan(state=ScanState.DONE, shards_open=0))
    stack.table.add_to_agenda(AgendaEntry(PAST, SCAN_ID, AgendaTask.EXPIRE))
    failures = on_minute_passed(recorded("tick"))["failures"]
    assert [(scan_id, "NoSuchBucket" in why) for scan_id, why in failures] == [(SCAN_ID, True)]
    assert len(list(stack.table.due(datetime.now(UTC), 10))) == 1


def test_the_end_of_a_mute_is_asked_for_until_it_is_closed(stack: Stack, on_minute_passed: Function) -> None:
    mutes = DynamoMuteTable(TABLE)
    mute = StoredMute(mute_id="m1", begins_at=PAST, ends_at=PAST, revision=1)
    assert mutes.put_mute(mute)
    assert mutes.put_mute(replace(mute, mute_id="m2", ends_at=datetime.now(UTC) + timedelta(hours=1)))
    assert on_minute_passed(recorded("tick"))["ended_mutes"] == 1
    (message,) = clients.sqs().receive_message(QueueUrl=stack.queue_urls["messages"])["Messages"]
    assert MessageWork.from_wire(message["Body"]).key == mute.key
    assert mutes.put_mute(replace(mute, closed_at=PAST, revision=2))
    assert on_minute_passed(recorded("tick"))["ended_mutes"] == 0


def test_the_daily_check_of_certificates_is_asked_for_once(stack: Stack, on_minute_passed: Function) -> None:
    watches = DynamoMessageTable(TABLE)
    watches.put_certificate_day(CertificateDay(due_at=PAST))
    assert [on_minute_passed(recorded("tick"))["certificate_day"] for _ in range(2)] == [True, False]
    (message,) = clients.sqs().receive_message(QueueUrl=stack.queue_urls["messages"])["Messages"]
    assert MessageWork.from_wire(message["Body"]).key == f"certificate-day/{to_wire(PAST)}"
    day = watches.certificate_day()
    assert day
    assert day.due_at > datetime.now(UTC)
