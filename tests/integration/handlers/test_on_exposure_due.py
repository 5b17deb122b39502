"""on_exposure_due: what a recorded shard's looks saw is judged, confirmed at once, and checked every day."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from cascan.events import FindingsRecorded, build_event_fields
from cascan.exposure_updates.confirm import CONNECT_SCAN
from cascan.exposure_updates.work import ExposureWork, build_day_work
from cascan.forms import read_request
from cascan.ids import ReportKey, derive_scan_id
from cascan.model.exposure import ExposureDay, ExposureState, StoredExpectations
from cascan.model.history import Look, NotOpenPorts, OpenPorts
from cascan.model.inventory import UP, HostRecord, HostUpdate, PortRecord, Sighting
from cascan.model.scan import Counts, Outcome
from cascan.model.shard import ShardState, TargetSlice
from tests.data.envelopes.build import Envelope, bus_event, object_created, recorded, sqs_event, sqs_record
from tests.data.reports import report
from tests.integration.handlers.conftest import ColdStart, Function
from tests.integration.handlers.stack import Stack
from tests.support.builders import SCAN_ID, a_request, a_run, a_scan, a_shard

REPORT = ReportKey(SCAN_ID, 0, 1)
HOST = "10.0.0.9"
FILE = "settings: {confirm: true}\nexpected:\n  - {who: 10.0.0.9, ports: [443]}\n"


@pytest.fixture
def on_exposure_due(cold_start: ColdStart) -> Function:
    return cold_start("on_exposure_due")


def store_file(stack: Stack, text: str = FILE) -> None:
    now = datetime.now(UTC)
    stack.table.put_exposure_day(ExposureDay(due_at=now - timedelta(minutes=1)))
    assert stack.table.put_expectations(StoredExpectations(version=1, applied_at=now, text=text))


def record_look(stack: Stack, report: ReportKey = REPORT) -> None:
    seen_at = datetime.now(UTC)
    known = stack.table.known_hosts([HOST]).get(HOST)

    def sight(state: str) -> Sighting:
        return Sighting(state=state, seen_at=seen_at, scan_id=report.scan_id)

    ports = tuple(
        PortRecord(protocol="tcp", port=number, latest=sight("open"), first_seen=seen_at, last_seen=seen_at)
        for number in (23, 443)
    )
    record = HostRecord(
        address=HOST,
        latest=sight(UP),
        first_seen=seen_at,
        last_seen=seen_at,
        ports=ports,
        revision=known.revision if known else 0,
    )
    look = Look(
        address=HOST,
        seen_at=seen_at,
        open_ports=(OpenPorts("tcp", "23,443"),),
        not_open=(NotOpenPorts("tcp", "1-1000", "closed"),),
        **report._asdict(),
    )
    assert not stack.table.save_hosts(report, [HostUpdate(record=record, known=known)])
    stack.table.store_looks([look])


def store_absence(stack: Stack) -> None:
    """A look of a later scan at which the host is not up."""
    report = ReportKey(derive_scan_id("absent"), 0, 1)
    stack.table.store_looks([Look(address=HOST, seen_at=datetime.now(UTC), is_up=False, **report._asdict())])


def arrange(stack: Stack) -> Envelope:
    scan = a_scan(name="dmz", request=a_request(labels={"team": "soc"}), requested_by="AIDAEXAMPLE")
    stack.store(scan, replace(a_shard(), slices=(TargetSlice("10.0.0.0/24", 0, 256),)))
    record_look(stack)
    event = FindingsRecorded(
        **build_event_fields(scan, at=datetime.now(UTC)),
        event_id="recorded",
        shard=0,
        report_key=str(REPORT),
        outcome=Outcome.COMPLETE,
        hosts_up=1,
        findings=Counts(),
        exposures=True,
    )
    return sqs_event(bus_event(event))


def test_a_recorded_shard_opens_exposures_and_asks_for_a_second_look(stack: Stack, on_exposure_due: Function) -> None:
    store_file(stack)
    event = arrange(stack)
    assert on_exposure_due.failed(event) == []
    ((_, exposure),) = stack.table.list_exposures(ExposureState.OPEN)
    assert (exposure.subject.port, exposure.subject.kind) == (23, "unexpected-open")
    (sent,) = stack.received("requests")
    request = read_request(sent["body"], is_issued=True).request
    assert (request.targets, request.parameters) == ((HOST,), (*CONNECT_SCAN, "-p", "T:23"))
    assert request.origin is not None
    assert (request.origin.parent_scan, request.origin.rule) == (SCAN_ID, "exposure-confirmation")
    (announced,) = [json.loads(message["body"]) for message in stack.received("heard")]
    assert announced["detail-type"] == "ExposureOpened"
    scan = stack.table.get_scan(SCAN_ID)
    assert scan is not None
    detail = announced["detail"]
    assert (detail["name"], detail["labels"], detail["requested_by"]) == (scan.name, scan.labels, scan.requested_by)

    on_exposure_due(event)  # delivered twice
    assert stack.received("requests") == stack.received("heard") == []


def test_a_second_run_confirms_it(stack: Stack, on_exposure_due: Function) -> None:
    store_file(stack)
    event = arrange(stack)
    on_exposure_due(event)
    record_look(stack, ReportKey(derive_scan_id("another"), 0, 1))
    on_exposure_due(event)
    ((_, exposure),) = stack.table.list_exposures(ExposureState.CONFIRMED)
    assert exposure.subject.port == 23


def test_a_missing_port_is_looked_at_again_and_an_absent_host_is_left_to_the_next_scan(
    stack: Stack, on_exposure_due: Function
) -> None:
    store_file(stack, FILE.replace("[443]", "[22, 23, 443]"))
    event = arrange(stack)
    assert on_exposure_due.failed(event) == []
    (sent,) = stack.received("requests")
    assert read_request(sent["body"], is_issued=True).request.parameters == (*CONNECT_SCAN, "-p", "T:22")

    store_absence(stack)
    assert on_exposure_due.failed(event) == []
    kinds = {exposure.subject.kind for _, exposure in stack.table.list_exposures(ExposureState.OPEN)}
    assert "absent" in kinds
    assert stack.received("requests") == []


def test_without_a_file_nothing_is_judged(stack: Stack, on_exposure_due: Function) -> None:
    event = arrange(stack)
    before = stack.items()
    assert on_exposure_due.failed(event) == []
    assert stack.items() == before


def test_a_turn_without_time_sends_the_rest_on(stack: Stack, on_exposure_due: Function) -> None:
    store_file(stack)
    assert on_exposure_due.failed(arrange(stack), remaining_s=5.0) == []
    (sent,) = stack.received("exposures")
    assert ExposureWork.read(sent["body"]).after == HOST
    assert on_exposure_due.failed(sqs_event(sent["body"])) == []


def test_a_message_of_something_else_returns_to_its_queue(stack: Stack, on_exposure_due: Function) -> None:
    store_file(stack)
    good, bad = arrange(stack)["Records"][0], sqs_record('{"kind": "sharp"}')
    assert on_exposure_due.failed({"Records": [bad, good]}) == [bad["messageId"]]


def test_the_daily_check_warns_of_an_entry_once_and_opens_what_is_untested(
    stack: Stack, on_exposure_due: Function
) -> None:
    soon = datetime.now(UTC).date() + timedelta(days=3)
    store_file(stack, FILE.replace("[443]", f"[443], until: {soon}"))
    for _ in range(2):
        assert on_exposure_due.failed(sqs_event(build_day_work("a day").to_wire())) == []
    kinds = sorted(json.loads(message["body"])["detail-type"] for message in stack.received("heard"))
    assert kinds == ["ExposureConfirmed", "ExposureExpiring", "ExposureOpened"]
    ((_, exposure),) = stack.table.list_exposures(ExposureState.CONFIRMED)
    assert exposure.subject.kind == "untested"
    day = stack.table.exposure_day()
    assert day is not None
    assert day.due_at > datetime.now(UTC)


def test_a_tick_asks_for_the_daily_check_once(stack: Stack, cold_start: ColdStart) -> None:
    on_minute_passed = cold_start("on_minute_passed")
    assert on_minute_passed(recorded("tick"))["exposure_day"] is False
    store_file(stack)
    assert on_minute_passed(recorded("tick"))["exposure_day"] is True
    (sent,) = stack.received("exposures")
    assert ExposureWork.read(sent["body"]).kind == "day"
    assert on_minute_passed(recorded("tick"))["exposure_day"] is False


@pytest.mark.parametrize("is_stored", [False, True])
def test_a_recorded_report_wakes_the_function_where_a_file_is_stored(
    is_stored: bool, stack: Stack, cold_start: ColdStart
) -> None:
    if is_stored:
        store_file(stack)
    stack.store(a_scan(), a_shard(state=ShardState.REPORTED, attempt=1, run=a_run()))
    stack.put_report(REPORT, report("connect"))
    stored = sqs_event(object_created(str(REPORT)))
    assert cold_start("on_report_stored").failed(stored) == []
    works = [ExposureWork.read(message["body"]) for message in stack.received("exposures")]
    assert [work.report_key for work in works] == [str(REPORT)] * is_stored
