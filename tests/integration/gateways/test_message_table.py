"""Threads of messages and the file of channels: in memory, and on DynamoDB."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from cascan.aws import clients
from cascan.aws.tables.message_table import DynamoMessageTable
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.limits import NOTICE_DAYS
from cascan.model.certificate import CertificateDay, CertificateWatch, WatchedCertificate
from cascan.model.message import AttemptState, MessageAttempt, MessageThread, Statement, Step, StoredChannels
from tests.fakes.message_threads import MemoryMessageThreads
from tests.integration.gateways.conftest import TABLE
from tests.support.builders import clock
from tests.support.other_versions import variants

AT = datetime(2099, 3, 1, 12, tzinfo=UTC)
CERTIFICATE = WatchedCertificate(
    vantage="default", address="10.0.0.9", port=443, not_after=AT, name="shop.example.com", seen_at=AT
)
FILE = StoredChannels(version=1, stored_at=AT, text="channels: {}", stored_by="ann")


@pytest.fixture(params=["memory", "dynamodb"])
def table(request: pytest.FixtureRequest) -> MemoryMessageThreads | DynamoMessageTable:
    if request.param == "memory":
        return MemoryMessageThreads()
    assert isinstance(request.getfixturevalue("dynamo_table"), DynamoScanTable)
    return DynamoMessageTable(TABLE, clock)


def a_thread(key: str = "exposure/abc", state: AttemptState = AttemptState.PARKED, minute: int = 0) -> MessageThread:
    attempt = MessageAttempt(
        statement=Statement(step=Step.CONFIRMED),
        state=state,
        message_id="m-1",
        number=1,
        at=AT + timedelta(minutes=minute),
        notice={"title": "Skipped"},
    )
    return MessageThread(key=key, channel="team", attempt=attempt, revision=1)


def test_the_file_of_channels_is_stored_over_its_version_before_alone(table: Any) -> None:
    assert table.channels() is None
    assert table.put_channels(FILE)
    assert not table.put_channels(FILE)
    assert table.channels() == FILE
    assert table.put_channels(replace(FILE, version=2))


def test_of_two_writers_of_a_thread_one_wins_and_channels_have_threads_of_their_own(table: Any) -> None:
    thread = a_thread()
    assert table.get_thread("exposure/abc", "team") is None
    assert table.put_thread(thread)
    assert not table.put_thread(thread)
    assert table.get_thread("exposure/abc", "team") == thread
    assert table.get_thread("exposure/abc", "other") is None


def test_threads_are_listed_by_the_state_of_their_message_until_it_has_arrived(table: Any) -> None:
    later, earlier = a_thread(minute=5), a_thread("scan/a/partial", minute=1)
    unknown = a_thread("exposure/b", AttemptState.UNKNOWN)
    for thread in (later, earlier, unknown):
        assert table.put_thread(thread)
    assert list(table.list_threads(AttemptState.PARKED)) == [earlier, later]
    assert list(table.list_threads(AttemptState.UNKNOWN)) == [unknown]
    assert table.put_thread(replace(later, attempt=None, revision=2))
    assert list(table.list_threads(AttemptState.PARKED)) == [earlier]


def test_the_certificates_that_end_soon_are_stored_over_their_version_before_alone(table: Any) -> None:
    assert table.certificate_watch() == CertificateWatch()
    watch = CertificateWatch(version=1, certificates=(CERTIFICATE,))
    assert table.put_certificate_watch(watch)
    assert not table.put_certificate_watch(watch)
    assert table.certificate_watch() == watch


def test_the_daily_check_of_certificates_is_stored_over_the_one_before(table: Any) -> None:
    assert table.certificate_day() is None
    for minute in (0, 1):
        day = CertificateDay(due_at=AT + timedelta(minutes=minute))
        table.put_certificate_day(day)
        assert table.certificate_day() == day


@pytest.mark.usefixtures("dynamo_table")
def test_a_notice_is_forgotten_and_a_thread_about_an_exposure_is_not() -> None:
    table = DynamoMessageTable(TABLE, lambda: AT)
    assert table.put_thread(a_thread())
    assert table.put_thread(a_thread("scan/a/partial"))
    items = clients.dynamodb().scan(TableName=TABLE)["Items"]
    expiries = {item["pk"]["S"]: item.get("expires_at") for item in items}
    expires_at = int((AT + timedelta(days=NOTICE_DAYS)).timestamp())
    assert expiries == {"messages/exposure/abc": None, "messages/scan/a/partial": {"N": str(expires_at)}}


@pytest.mark.parametrize(
    "stored", [a_thread(), FILE, CertificateWatch(version=1, certificates=(CERTIFICATE,)), CertificateDay(due_at=AT)]
)
def test_what_another_version_stored_is_read(stored: Any) -> None:
    kind = type(stored)
    for variant in variants(kind, msgspec.to_builtins(stored)):
        assert isinstance(msgspec.json.decode(msgspec.json.encode(variant), type=kind), kind)
