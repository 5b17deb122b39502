"""What every ScheduleTable does: the one in memory, and the one on DynamoDB."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.aws.tables.schedule_table import DynamoScheduleTable
from cascan.gateways import ScheduleTable
from cascan.ids import derive_scan_id
from cascan.model.scan import Counts
from cascan.model.schedule import LatestResult, ScanTypes, ScheduledRun, StoredSchedule
from tests.fakes.schedules import MemoryScheduleTable
from tests.integration.gateways.conftest import TABLE
from tests.support.builders import NOW, clock

HOUR = timedelta(hours=1)


@pytest.fixture(params=["memory", "dynamodb"])
def table(request: pytest.FixtureRequest) -> ScheduleTable:
    if request.param == "memory":
        return MemoryScheduleTable()
    assert isinstance(request.getfixturevalue("dynamo_table"), DynamoScanTable)
    return DynamoScheduleTable(TABLE, clock)


def a_run(due_at: datetime = NOW, **fields: Any) -> ScheduledRun:
    plain: dict[str, Any] = {
        "schedule": "nightly",
        "scan_id": derive_scan_id(str(due_at)),
        "asked_at": NOW,
        "body": "{}",
    }
    return ScheduledRun(due_at=due_at, **plain | fields)


def test_a_manifest_that_is_stored_again_is_one_version_and_a_changed_one_the_next(table: ScheduleTable) -> None:
    first = table.put_schedule("nightly", {"spec": {"interval": "1h"}})
    assert (first.version, first.created_at) == (1, NOW)
    assert table.put_schedule("nightly", {"spec": {"interval": "1h"}}) == first
    second = table.put_schedule("nightly", {"spec": {"interval": "2h"}})
    assert (second.version, table.schedule("nightly"), table.schedule("weekly")) == (2, second, None)
    other = table.put_schedule("hourly", {})
    assert list(table.schedules()) == [other, second]


def test_a_manifest_is_restored_as_it_was_where_there_is_none(table: ScheduleTable) -> None:
    was = StoredSchedule(name="nightly", version=4, document={"a": 1}, created_at=NOW - HOUR, stored_at=NOW)
    assert [table.restore_schedule(was), table.restore_schedule(was)] == [True, False]
    assert table.schedule("nightly") == was
    assert table.put_schedule("nightly", {"a": 2}).version == 5


def test_what_was_seen_of_the_scan_types_is_stored_over_its_version_before_alone(table: ScheduleTable) -> None:
    assert table.scan_types() is None
    first = ScanTypes(version=1, made_of={"nmap": "a"}, changed_at=NOW)
    second = ScanTypes(version=2, made_of={"nmap": "b"}, changed_at=NOW + HOUR, untold=("nmap",))
    assert not table.put_scan_types(second)
    assert [table.put_scan_types(types) for types in (first, first, second, second)] == [True, False, True, False]
    assert table.scan_types() == second
    assert list(table.schedules()) == []


def test_a_deleted_schedule_leaves_nothing_of_its_own(table: ScheduleTable) -> None:
    table.put_schedule("nightly", {})
    table.record_due("nightly", NOW)
    table.add_run(a_run())
    assert table.delete_schedule("nightly")
    assert not table.delete_schedule("nightly")
    assert (table.schedule("nightly"), list(table.runs("nightly"))) == (None, [])
    assert table.status("nightly").last_due_at is None


def test_an_earlier_time_than_the_recorded_one_is_refused(table: ScheduleTable) -> None:
    assert table.record_due("nightly", NOW)
    assert table.record_due("nightly", NOW)
    assert table.record_due("nightly", NOW + HOUR)
    assert not table.record_due("nightly", NOW)
    assert table.status("nightly").last_due_at == NOW + HOUR


def test_the_run_of_a_time_is_the_first_that_was_added(table: ScheduleTable) -> None:
    assert table.add_run(a_run(body="first")).body == "first"
    assert table.add_run(a_run(body="second")).body == "first"
    earlier = table.add_run(a_run(NOW - HOUR))
    assert [run.due_at for run in table.runs("nightly")] == [NOW - HOUR, NOW]
    assert table.status("nightly").last_schedule_time == NOW
    table.end_run(earlier)
    assert [run.ended for run in table.runs("nightly")] == [True, False]
    assert table.add_run(a_run(NOW - HOUR)).ended
    for _ in range(2):
        table.forget_run(earlier)
    table.end_run(earlier)
    assert [run.due_at for run in table.runs("nightly")] == [NOW]


def test_an_older_result_does_not_take_the_place_of_a_newer(table: ScheduleTable) -> None:
    newer, older = (
        LatestResult(scan_id=derive_scan_id(str(at)), finished_at=at, findings=Counts(count=2, severities={"low": 2}))
        for at in (NOW, NOW - HOUR)
    )
    table.record_result("nightly", newer)
    table.record_result("nightly", older)
    assert table.status("nightly").last_result == newer
