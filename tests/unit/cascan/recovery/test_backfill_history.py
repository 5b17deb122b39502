"""The history of scans that an earlier version recorded, made from their reports."""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from cascan.ids import ReportKey
from cascan.permissions.scope import Scope
from cascan.recovery.backfill_history import Backfilled, backfill_history
from cascan.recovery.reparse import StoredReport
from on_report_stored.parse_again import read_looks_again
from tests.fakes import MemoryScanTable
from tests.unit.cascan.recovery.test_rebuild import Failing, World, plan_at_two_vantages

SCOPE = Scope.of(["127.0.0.0/8"])


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def backfill(world: World, scan_id: str) -> Backfilled:
    table, reports = world.table, world.reports
    read = partial(read_looks_again, scope=SCOPE, table=table, reports=reports)
    return backfill_history(world.scan(scan_id), table=table, reports=reports, read=read)


def history_of(table: MemoryScanTable) -> object:
    return deepcopy((dict(table.looks_by_vantage), dict(table.absences_by_vantage)))


def forget_history(table: MemoryScanTable) -> None:
    """As if an earlier version had recorded the reports."""
    table.looks_by_vantage.clear()
    table.absences_by_vantage.clear()


def test_the_history_is_that_which_recording_the_reports_leaves_and_nothing_else_changes(world: World) -> None:
    scan_id = world.plan()
    world.finish(scan_id)
    history = history_of(world.table)
    forget_history(world.table)
    assert history != history_of(world.table)
    before, events = deepcopy(vars(world.table)), list(world.bus.events)

    done = backfill(world, scan_id)

    assert (done.reports, done.looks, done.problems) == (4, 4, ())
    assert history_of(world.table) == history
    histories = ("looks_by_vantage", "absences_by_vantage")
    rest = {name: value for name, value in vars(world.table).items() if name not in histories}
    assert rest == {name: value for name, value in before.items() if name not in histories}
    assert world.bus.events == events


def test_a_second_backfill_changes_nothing(world: World) -> None:
    scan_id = world.plan()
    world.finish(scan_id)
    history = history_of(world.table)
    backfill(world, scan_id)
    assert history_of(world.table) == history


@pytest.mark.parametrize("calls", range(0, 20, 2))
def test_a_backfill_that_is_killed_anywhere_is_completed_by_the_next(world: World, calls: int) -> None:
    scan_id = world.plan()
    world.finish(scan_id)
    history = history_of(world.table)
    forget_history(world.table)
    failing = Failing(calls)
    vars(failing).update(vars(world.table), left=calls)
    world.table = failing
    with suppress(ConnectionError):  # after the last call there is nothing to break off
        backfill(world, scan_id)
    failing.left = 1_000_000

    assert backfill(world, scan_id).problems == ()
    assert history_of(world.table) == history


def test_looks_are_kept_under_the_vantage_of_their_scan(world: World) -> None:
    _, members = plan_at_two_vantages(world)
    for member in members:
        world.finish(member.scan_id, shards=1)
    history = history_of(world.table)
    forget_history(world.table)
    for member in members:
        backfill(world, member.scan_id)
    assert sorted(world.table.looks_by_vantage) == ["inside", "outside"]
    assert history_of(world.table) == history


def test_a_report_that_is_gone_or_damaged_is_named_and_the_others_are_read(world: World) -> None:
    scan_id = world.plan()
    world.finish(scan_id)
    world.reports.objects[str(ReportKey(scan_id, 1, 1))] = b"this is no report"
    del world.reports.objects[str(ReportKey(scan_id, 2, 1))]
    done = backfill(world, scan_id)
    damaged, gone = done.problems
    assert damaged.startswith("the report of shard 1 cannot be read: ")
    assert gone == "the report of shard 2 is gone"
    assert (done.reports, done.looks) == (2, 2)


def test_a_report_that_is_deleted_meanwhile_is_named(world: World) -> None:
    scan_id = world.plan()
    world.finish(scan_id)
    table, reports = world.table, world.reports
    read = partial(read_looks_again, scope=SCOPE, table=table, reports=reports)

    def delete_and_read(report: StoredReport) -> object:
        reports.objects.pop(str(report.key))
        return read(report)

    done = backfill_history(replace(world.scan(scan_id)), table=table, reports=reports, read=delete_and_read)  # type: ignore[arg-type]
    assert done.problems == tuple(f"the report of shard {number} is gone" for number in range(4))
