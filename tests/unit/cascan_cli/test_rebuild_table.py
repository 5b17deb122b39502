"""A table that is made again holds what it held, whatever the scope was then."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cascan.clock import utc_now
from cascan.messages.read_channels import to_stored_channels
from cascan.model.mute import MuteSource
from cascan.recovery.operator_records import record_channels
from cascan_cli.stack.rebuild_table import rebuild_table, restore_operator_records
from tests.docs.a_stack import SCHEDULE, UNREADABLE
from tests.fakes import MemoryOperatorRecords, MemoryScanTable
from tests.fakes.cascades import MemoryRuleTable
from tests.fakes.message_threads import MemoryMessageThreads
from tests.fakes.mutes import MemoryMutes
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
        messages=MemoryMessageThreads(),
        scheduler=SimpleNamespace(put=lambda schedule, *_: fires.append(schedule.name)),
    )
    restore_operator_records(stack, MemoryOperatorRecords())
    assert fires == ["nightly"]
    assert "schedule a-strange-one is from another version" in capsys.readouterr().err


def test_channels_and_the_mutes_of_their_file_are_there_again() -> None:
    ends_at = utc_now().replace(microsecond=0) + timedelta(days=1)
    text = f"channels: {{pager: {{command: [/bin/page]}}}}\nmutes: [{{until: '{ends_at.isoformat()}'}}]"
    records, before = MemoryOperatorRecords(), MemoryMessageThreads()
    assert before.put_channels(to_stored_channels(text, version=1, stored_at=utc_now(), stored_by="ann"))
    record_channels(records, before)
    stack: Any = SimpleNamespace(
        table=MemoryScanTable(),
        rules=MemoryRuleTable(),
        schedules=MemoryScheduleTable(),
        messages=MemoryMessageThreads(),
        mutes=MemoryMutes(),
    )
    assert restore_operator_records(stack, records) == "restored: the channels of messages"
    assert stack.messages.channels() == before.channels()
    (mute,) = stack.mutes.list_mutes()
    assert (mute.ends_at, mute.by, mute.source) == (ends_at, "ann", MuteSource.FILE)
