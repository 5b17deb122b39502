"""A table that is made again holds what it held, whatever the scope was then."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cascan_cli.stack.rebuild_table import rebuild_table, restore_operator_records
from tests.docs.a_stack import SCHEDULE, UNREADABLE
from tests.fakes import MemoryOperatorRecords, MemoryScanTable
from tests.fakes.cascades import MemoryRuleTable
from tests.fakes.schedules import MemoryScheduleTable
from tests.unit.cascan.recovery.test_rebuild import World


def test_hosts_of_this_machine_are_recorded_again_as_well(tmp_path: Path) -> None:
    world = World(tmp_path)
    scan_id = world.plan(targets=["127.0.0.0/30"])
    world.finish(scan_id)
    before, world.table = world.scan(scan_id), MemoryScanTable()
    assert rebuild_table(world.table, world.reports).reports == 4
    after = world.scan(scan_id)
    assert (after.outcome, after.hosts_up, after.findings) == (before.outcome, 4, before.findings)


def test_a_schedule_that_this_version_does_not_take_does_not_hold_up_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    schedules, fires = MemoryScheduleTable(), list[str]()
    for name, document in (("a-strange-one", UNREADABLE), ("nightly", SCHEDULE)):
        schedules.put_schedule(name, document)
    stack: Any = SimpleNamespace(
        table=MemoryScanTable(),
        rules=MemoryRuleTable(),
        schedules=schedules,
        scheduler=SimpleNamespace(put=lambda schedule, *_: fires.append(schedule.name)),
    )
    restore_operator_records(stack, MemoryOperatorRecords())
    assert fires == ["nightly"]
    assert "schedule a-strange-one is from another version" in capsys.readouterr().err
