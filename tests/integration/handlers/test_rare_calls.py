"""What a function does seldom: its role in the templates allows it, as the calls are judged (conftest.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import EndpointConnectionError
from msgspec.structs import replace

from cascan.aws import clients
from cascan.aws.s3 import report_store
from cascan.aws.tables import inventory, inventory_items
from cascan.aws.tables.cascade_table import DynamoCascadeTable
from cascan.aws.tables.rule_table import DynamoRuleTable
from cascan.aws.tables.schedule_table import DynamoScheduleTable
from cascan.findings.by_host import group_by_host
from cascan.ids import ReportKey, derive_scan_id, results_key
from cascan.model.agenda import AgendaEntry, AgendaTask
from cascan.model.scan import ScanState
from cascan.model.schedule import ScheduledRun
from cascan.model.shard import Lane, ShardState
from tests.data.envelopes.build import object_created, recorded, sqs_event
from tests.data.reports import report
from tests.integration.handlers.conftest import ColdStart
from tests.integration.handlers.stack import BUCKET, TABLE, Stack
from tests.integration.handlers.test_on_control_requested import asks
from tests.integration.handlers.test_on_scan_completed import FINDINGS, completed_scan, completion
from tests.integration.handlers.test_on_schedule_due import apply
from tests.integration.handlers.test_on_shard_abandoned import dead_letter
from tests.integration.handlers.test_on_shard_queued import MESSAGE, shard
from tests.integration.handlers.test_worker import LANES, RunWorker, run_worker, send  # noqa: F401 - a fixture
from tests.support.builders import NOW, SCAN_ID, a_run, a_scan, a_shard
from tests.support.cascading import rule_document

PAST = datetime.now(UTC) - timedelta(minutes=5)
EXPIRES = {"expires_after_s": 3_600}


def store_scan_that_waits(stack: Stack, **shard_fields: Any) -> None:
    """A scan of a shard in flight, and of one on each lane that waits for a place."""
    waiting = [a_shard(number=number, lane=lane, state=ShardState.WAITING) for number, lane in enumerate(Lane, 1)]
    counted = {"shards": 4, "shards_open": 4, "shards_waiting": 3, "shards_in_flight": 1, "parallel": 10}
    stack.store(a_scan(**counted), a_shard(**shard_fields), *waiting)


def assert_all_released(stack: Stack) -> None:
    assert [len(stack.received(lane)) for lane in Lane] == [1, 1, 1]
    assert {stack.shard(SCAN_ID, number).state for number in (1, 2, 3)} == {ShardState.QUEUED}


def test_the_end_of_a_shard_releases_others_on_every_lane(stack: Stack, cold_start: ColdStart) -> None:
    store_scan_that_waits(stack, state=ShardState.REPORTED, attempt=1, run=a_run())
    key = ReportKey(SCAN_ID, 0, 1)
    stack.put_report(key, report("connect"))
    assert cold_start("on_report_stored").failed(sqs_event(object_created(str(key)))) == []
    assert_all_released(stack)


def test_a_shard_that_is_given_up_releases_others_on_every_lane(stack: Stack, cold_start: ColdStart) -> None:
    store_scan_that_waits(stack)
    assert cold_start("on_shard_abandoned").failed(sqs_event(dead_letter())) == []
    assert_all_released(stack)


def test_a_halt_that_is_lifted_releases_shards_on_every_lane(stack: Stack, cold_start: ColdStart) -> None:
    store_scan_that_waits(stack)
    on_control_requested = cold_start("on_control_requested")
    assert on_control_requested.failed(sqs_event(asks("halt"))) == []
    assert on_control_requested.failed(sqs_event(asks("suspend", scanId=SCAN_ID))) == []
    assert on_control_requested.failed(sqs_event(asks("lift"))) == []
    stack.received("express")
    assert on_control_requested.failed(sqs_event(asks("resume", scanId=SCAN_ID))) == []
    assert {stack.shard(SCAN_ID, number).state for number in (1, 2, 3)} == {ShardState.QUEUED}


def test_the_agenda_releases_shards_on_every_lane(stack: Stack, cold_start: ColdStart) -> None:
    store_scan_that_waits(stack)
    stack.table.add_to_agenda(AgendaEntry(PAST, SCAN_ID, AgendaTask.RELEASE))
    assert cold_start("on_minute_passed")(recorded("tick"))["done"] == {"release": 1}
    assert_all_released(stack)


def test_a_scan_that_ends_with_a_given_up_shard_is_put_on_the_agenda_for_its_removal(
    stack: Stack, cold_start: ColdStart
) -> None:
    stack.store(a_scan(**EXPIRES), a_shard())
    assert cold_start("on_shard_abandoned").failed(sqs_event(dead_letter())) == []
    (entry,) = stack.table.due(datetime.max.replace(tzinfo=UTC), 10)
    assert entry.task is AgendaTask.EXPIRE


def test_an_expired_scan_leaves_no_result_and_no_record(stack: Stack, cold_start: ColdStart) -> None:
    stack.store(a_scan(state=ScanState.DONE, shards_open=0), a_shard(state=ShardState.RECORDED))
    for key in (results_key(SCAN_ID, "findings.json"), f"scans/{SCAN_ID}/plan.json"):
        clients.s3().put_object(Bucket=BUCKET, Key=key, Body=b"{}")
    stack.table.add_to_agenda(AgendaEntry(PAST, SCAN_ID, AgendaTask.EXPIRE))
    cold_start("on_minute_passed")(recorded("tick"))
    assert (stack.keys(), stack.records()) == ([], [])


def test_pages_of_an_earlier_record_of_a_host_are_deleted(
    stack: Stack, cold_start: ColdStart, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (inventory, inventory_items):
        monkeypatch.setattr(module, "PORTS_PER_PAGE", 1)
    on_report_stored = cold_start("on_report_stored")
    stack.store(a_scan(shards=2, shards_open=2))
    for number, name in enumerate(("connect", "versions")):
        run = a_run(finished_at=NOW + timedelta(minutes=number))
        stack.table.add_shards([a_shard(number=number, state=ShardState.REPORTED, attempt=1, run=run)])
        key = ReportKey(SCAN_ID, number, 1)
        stack.put_report(key, report(name))
        assert on_report_stored.failed(sqs_event(object_created(str(key)))) == []
    pages = [key for item in stack.items() if (key := json.loads(item)["sk"]["S"]).startswith("ports/0")]
    assert pages
    assert len({key.split("/")[1] for key in pages}) == 1  # the revision


def test_a_run_of_a_schedule_whose_scan_is_gone_is_forgotten(stack: Stack, cold_start: ColdStart) -> None:
    apply()
    for hour in (0, 1):
        at = NOW.replace(hour=hour)
        run = ScheduledRun(schedule="nightly", due_at=at, scan_id=derive_scan_id(str(hour)), asked_at=at, body="{}")
        DynamoScheduleTable(TABLE).add_run(run)
    ended = {"labels": {"cascan/schedule": "nightly"}, "at": "2026-03-01T12:00:00Z"}
    event = json.dumps({"source": "cascan", "detail-type": "ScanCompleted", "detail": ended})
    assert cold_start("on_schedule_due").failed(sqs_event(event)) == []
    assert [run.due_at.hour for run in DynamoScheduleTable(TABLE).runs("nightly")] == [1]


def test_a_cascade_over_its_budget_is_announced(stack: Stack, cold_start: ColdStart) -> None:
    rule = rule_document("probe", parameters=["-Pn", "-p{{attributes.port}}", "{{$.hostOrIP}}"])
    DynamoRuleTable(TABLE).put_rule("probe", rule)
    scan = completed_scan()
    assert scan.request
    scan = replace(scan, request=replace(scan.request, cascades={}))
    stack.store(scan)
    stack.table.put_findings(SCAN_ID, group_by_host(FINDINGS))
    assert cold_start("on_scan_completed", CASCADE_MAX_SCANS="0").failed(sqs_event(completion(scan))) == []
    assert stack.heard_names() == ["CascadeCapped"]
    assert list(DynamoCascadeTable(TABLE).cascade_children(SCAN_ID)) == []


def test_a_request_whose_scan_was_cancelled_in_the_meantime_closes_its_shards(
    stack: Stack, cold_start: ColdStart
) -> None:
    on_scan_requested = cold_start("on_scan_requested")
    event = sqs_event(json.dumps({"name": "lan", "targets": ["127.0.0.1"]}))
    assert on_scan_requested.failed(event) == []
    (scan,) = stack.table.list_scans(1)
    stack.table.advance_scan(scan.scan_id, ScanState.CANCELLED, expected=set(ScanState))
    assert on_scan_requested.failed(event) == []
    assert stack.shard(scan.scan_id).state is ShardState.CANCELLED


@pytest.fixture
def uploads_fail_midway(monkeypatch: pytest.MonkeyPatch, stack: Stack) -> Iterator[list[str]]:
    """Every object is uploaded in parts, and no part arrives; the keys of the uploads that were aborted."""
    aborted: list[str] = []

    def fail(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url="s3")

    def note_abort(params: dict[str, Any], **_: object) -> None:
        aborted.append(params["Key"])

    monkeypatch.setattr(report_store, "PART_BYTES", 1)
    monkeypatch.setattr("boto3.s3.transfer.TransferConfig", partial(TransferConfig, multipart_threshold=1))
    events = clients.s3().meta.events
    events.register("before-call.s3.UploadPart", fail)
    events.register("provide-client-params.s3.AbortMultipartUpload", note_abort)
    yield aborted
    events.unregister("before-call.s3.UploadPart", fail)
    events.unregister("provide-client-params.s3.AbortMultipartUpload", note_abort)


def test_a_result_whose_upload_fails_midway_is_aborted(
    stack: Stack, cold_start: ColdStart, uploads_fail_midway: list[str]
) -> None:
    stack.store(completed_scan())
    stack.table.put_findings(SCAN_ID, group_by_host(FINDINGS))
    assert len(cold_start("on_scan_completed").failed(sqs_event(completion(completed_scan())))) == 1
    assert uploads_fail_midway == [results_key(SCAN_ID, "findings.json")]


def test_a_plan_whose_upload_fails_midway_is_aborted(
    stack: Stack, cold_start: ColdStart, uploads_fail_midway: list[str]
) -> None:
    event = sqs_event(json.dumps({"name": "lan", "targets": ["127.0.0.1"]}))
    assert len(cold_start("on_scan_requested").failed(event)) == 1
    assert [key.partition("/")[0] for key in uploads_fail_midway] == ["scans"]


def test_a_report_of_the_express_function_whose_upload_fails_midway_is_aborted(
    stack: Stack, cold_start: ColdStart, uploads_fail_midway: list[str]
) -> None:
    stack.store(a_scan(), shard("-p", "1"))
    assert len(cold_start("on_shard_queued").failed(sqs_event(MESSAGE))) == 1
    assert uploads_fail_midway == [str(ReportKey(SCAN_ID, 0, 1))]


@pytest.mark.parametrize("lane", LANES)
def test_a_report_of_a_worker_whose_upload_fails_midway_is_aborted(
    stack: Stack,
    run_worker: RunWorker,  # noqa: F811 - the fixture
    uploads_fail_midway: list[str],
    lane: Lane,
) -> None:
    stack.store(a_scan(), shard("-p", "1", lane=lane))
    send(stack, lane)
    run_worker(lane)
    assert uploads_fail_midway == [str(ReportKey(SCAN_ID, 0, 1))]
