"""on_schedule_due: a schedule's time becomes a request, once; the end of its scan tidies its history."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from cascan.aws.tables.delayed_messages import DynamoDelayedMessages
from cascan.aws.tables.schedule_table import DynamoScheduleTable
from cascan.events.control import ControlRequested
from cascan.forms import read_request
from cascan.ids import derive_scan_id
from cascan.model.agenda import AgendaTask
from cascan.model.scan import ScanState
from tests.data.envelopes.build import sqs_event, sqs_record
from tests.integration.handlers.conftest import ColdStart, Function
from tests.integration.handlers.stack import TABLE, Stack
from tests.support.builders import NOW, a_scan

OUT_OF_SCOPE = {"scanType": "nmap", "parameters": ["-p22", "8.8.8.8"]}


def due(at: datetime = NOW, **more: Any) -> str:
    return json.dumps({"schedule": "nightly", "dueAt": at.isoformat(), **more})


def apply(**spec: Any) -> None:
    plain = {"interval": "1h", "scanSpec": {"scanType": "nmap", "parameters": ["127.0.0.1"]}}
    DynamoScheduleTable(TABLE).put_schedule(
        "nightly",
        {
            "apiVersion": "execution.securecodebox.io/v1",
            "kind": "ScheduledScan",
            "metadata": {"name": "nightly"},
            "spec": plain | spec,
        },
    )


@pytest.fixture
def on_schedule_due(cold_start: ColdStart) -> Function:
    return cold_start("on_schedule_due")


def test_a_time_becomes_a_request_of_the_series(stack: Stack, on_schedule_due: Function) -> None:
    apply()
    assert on_schedule_due.failed(sqs_event(due())) == []
    (sent,) = stack.received("requests")
    assert read_request(sent["body"], is_issued=True).request.name == "nightly"


def test_the_same_time_twice_leaves_the_same_items_and_asks_with_the_same_bytes(
    stack: Stack, on_schedule_due: Function
) -> None:
    apply()
    on_schedule_due(sqs_event(due()))
    after_one = stack.items()
    on_schedule_due(sqs_event(due()))
    assert stack.items() == after_one
    assert len({record["body"] for record in stack.received("requests")}) == 1


def test_one_bad_message_among_good_ones_returns_alone(stack: Stack, on_schedule_due: Function) -> None:
    apply()
    bad = sqs_record('{"schedule": 7}')
    elsewhere = sqs_record(json.dumps({"source": "cascan", "detail-type": "ScanCompleted", "detail": {}}))
    event = {"Records": [sqs_record(due()), bad, elsewhere]}
    assert on_schedule_due.failed(event) == [bad["messageId"]]
    assert len(stack.received("requests")) == 1


def test_a_scan_that_is_replaced_is_cancelled_through_the_control_queue(
    stack: Stack, on_schedule_due: Function
) -> None:
    apply(concurrencyPolicy="Replace")
    on_schedule_due(sqs_event(due()))
    (sent,) = stack.received("requests")
    scan_id = derive_scan_id(read_request(sent["body"], is_issued=True).request.idempotency_key)
    stack.store(a_scan(scan_id=scan_id))
    on_schedule_due(sqs_event(due(NOW.replace(minute=20))))
    (asked,) = stack.received("controls")
    assert ControlRequested.from_wire(asked["body"]).scan_id == scan_id


def test_the_end_of_its_scan_puts_what_is_beyond_the_history_on_the_agenda(
    stack: Stack, on_schedule_due: Function
) -> None:
    apply(successfulJobsHistoryLimit=0)
    on_schedule_due(sqs_event(due()))
    (sent,) = stack.received("requests")
    scan_id = derive_scan_id(read_request(sent["body"], is_issued=True).request.idempotency_key)
    stack.store(a_scan(scan_id=scan_id, state=ScanState.DONE, finished_at=NOW))
    detail = {"labels": {"cascan/schedule": "nightly"}, "at": "2026-03-01T12:00:00Z"}
    ended = json.dumps({"source": "cascan", "detail-type": "ScanCompleted", "detail": detail})
    assert on_schedule_due.failed(sqs_event(ended)) == []
    (entry,) = stack.table.due(datetime.max.replace(tzinfo=NOW.tzinfo), 10)
    assert (entry.scan_id, entry.task) == (scan_id, AgendaTask.EXPIRE)
    result = DynamoScheduleTable(TABLE).status("nightly").last_result
    assert result
    assert result.scan_id == scan_id


def test_b2_a_scan_that_is_refused_stands_under_the_id_that_its_schedule_promised_and_is_trimmed(
    stack: Stack, on_schedule_due: Function, cold_start: ColdStart
) -> None:
    apply(concurrencyPolicy="Forbid", failedJobsHistoryLimit=0, scanSpec=OUT_OF_SCOPE)
    on_schedule_due(sqs_event(due()))
    (sent,) = stack.received("requests")
    assert cold_start("on_scan_requested").failed({"Records": [sent]}) == []
    (run,) = DynamoScheduleTable(TABLE).runs("nightly")
    refused = stack.scan(run.scan_id)
    assert (refused.state, bool(refused.refusals), refused.name) == (ScanState.ERRORED, True, "nightly")
    assert [scan.scan_id for scan in stack.table.list_scans(10)] == [run.scan_id]
    (failed,) = stack.heard()
    assert on_schedule_due.failed(sqs_event(json.dumps(failed))) == []
    (entry,) = stack.table.due(datetime.max.replace(tzinfo=NOW.tzinfo), 10)
    assert (entry.scan_id, entry.task) == (run.scan_id, AgendaTask.EXPIRE)
    on_schedule_due(sqs_event(due(NOW.replace(minute=1))))  # nothing of it runs: Forbid does not hold it back
    assert len(stack.received("requests")) == 1


@pytest.mark.parametrize(("end", "missed"), [("ScanFailed", 1), ("ScanCompleted", 0)])
def test_a_scheduled_scan_that_failed_or_was_refused_counts_as_missed(
    on_schedule_due: Function, capsys: pytest.CaptureFixture[str], end: str, missed: int
) -> None:
    apply()
    detail = {"labels": {"cascan/schedule": "nightly"}, "at": "2026-03-01T12:00:00Z"}
    ended = json.dumps({"source": "cascan", "detail-type": end, "detail": detail})
    assert on_schedule_due.failed(sqs_event(ended)) == []
    assert f'"ScheduledScansMissed":[{missed:.1f}]' in capsys.readouterr().out


def test_a_time_that_an_earlier_scan_holds_back_counts_as_missed_once(
    stack: Stack, on_schedule_due: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    apply(concurrencyPolicy="Forbid")
    on_schedule_due(sqs_event(due()))
    assert '"ScheduledScansMissed":[0.0]' in capsys.readouterr().out
    on_schedule_due(sqs_event(due(NOW.replace(minute=20))))
    assert '"ScheduledScansMissed":[1.0]' in capsys.readouterr().out
    (again,) = DynamoDelayedMessages(TABLE).due(datetime.max.replace(tzinfo=NOW.tzinfo), 10)
    on_schedule_due(sqs_event(again.body))
    assert '"ScheduledScansMissed":[0.0]' in capsys.readouterr().out


def test_a_message_from_the_future_does_not_overtake_the_times_of_a_schedule(
    stack: Stack, on_schedule_due: Function
) -> None:
    apply()
    forged = sqs_record(due(NOW.replace(year=2099)))
    assert on_schedule_due.failed({"Records": [forged]}) == [forged["messageId"]]
    on_schedule_due(sqs_event(due()))
    assert len(stack.received("requests")) == 1
