"""What is due is done, once it is due, and again where it broke off."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest

from cascan.gateways import ScanGateways
from cascan.ids import ReportKey
from cascan.model.agenda import AgendaEntry, AgendaTask, Switch
from cascan.model.scan import Outcome, Scan, ScanState
from cascan.model.shard import OPEN_STATES, Lane, Shard, ShardState
from cascan.scans.agenda import expiry_entry
from cascan.scans.close import NO_HOST_IN_TIME
from on_minute_passed.run_due_tasks import TasksDone, run_due_tasks
from tests.fakes import MemoryEventBus, MemoryReportStore, MemoryScanTable, MemoryShardQueues
from tests.support.builders import NOW, SCAN_ID, a_run, a_scan, a_shard, claim, event_names


@dataclass
class Watch:
    """A stack whose clock the test sets."""

    now: datetime = NOW
    table: MemoryScanTable = field(default_factory=MemoryScanTable)
    queues: MemoryShardQueues = field(default_factory=MemoryShardQueues)
    bus: MemoryEventBus = field(default_factory=MemoryEventBus)
    reports: MemoryReportStore = field(default_factory=MemoryReportStore)

    def store(self, *shards: Shard, **fields: Any) -> None:
        waiting = sum(shard.state is ShardState.WAITING for shard in shards)
        counts = {"shards_waiting": waiting, "shards_in_flight": len(shards) - waiting}
        self.table.create_scan(a_scan(shards=len(shards), shards_open=len(shards), **counts | fields))
        self.table.add_shards(shards)

    def due(self, what: AgendaTask, after_s: float = 0) -> None:
        self.table.add_to_agenda(AgendaEntry(NOW + timedelta(seconds=after_s), SCAN_ID, what))

    def tick(self, after_s: float = 0, turns: int | None = None) -> TasksDone:
        """`turns`: so often there is time left when somebody asks; None: always."""
        self.now = NOW + timedelta(seconds=after_s)
        gateways = ScanGateways(self.table, self.queues, self.bus, lambda: self.now)
        times = repeat(60.0) if turns is None else chain(repeat(60.0, turns), repeat(0.0))
        return run_due_tasks(gateways, self.reports, lambda: next(times))

    @property
    def scan(self) -> Scan:
        return self.table.scans[SCAN_ID]

    def states(self) -> list[str]:
        return [shard.state.value for shard in self.table.shards(SCAN_ID)]

    def sent(self) -> list[int]:
        return [message.shard for lane in Lane for message in self.queues.sent[lane]]

    def planned(self) -> list[tuple[float, str]]:
        return sorted(((e.due_at - NOW).total_seconds(), e.task.value) for e in self.table.agenda)


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_what_is_not_due_is_left_alone(watch: Watch) -> None:
    watch.store(a_shard())
    watch.due(AgendaTask.DEADLINE, after_s=60)
    assert watch.tick(59) == TasksDone()
    assert watch.states() == ["queued"]


def test_a_scan_past_its_deadline_ends_timed_out_with_what_was_found(watch: Watch) -> None:
    watch.store(a_shard(), a_shard(number=1, state=ShardState.WAITING), hosts_up=3, deadline_at=NOW)
    watch.due(AgendaTask.DEADLINE)
    watch.tick()
    assert watch.states() == ["failed", "failed"]
    assert (watch.scan.state, watch.scan.outcome) == (ScanState.PARSE_COMPLETED, Outcome.TIMED_OUT)
    assert (event_names(watch.bus), watch.planned()) == (["ScanCompleted"], [])


def test_a_scan_past_its_deadline_that_found_no_host_is_errored(watch: Watch) -> None:
    watch.store(a_shard(), a_shard(number=1, state=ShardState.WAITING), deadline_at=NOW)
    watch.due(AgendaTask.DEADLINE)
    watch.tick()
    assert (watch.scan.state, watch.scan.outcome) == (ScanState.ERRORED, Outcome.TIMED_OUT)
    assert watch.scan.error_description == NO_HOST_IN_TIME
    assert event_names(watch.bus) == ["ScanFailed"]


def test_a_worker_that_is_alive_at_the_deadline_may_report_and_the_next_ticks_look_again(watch: Watch) -> None:
    watch.store(a_shard(), deadline_at=NOW)
    held = claim(watch.table, lease_until=NOW + timedelta(seconds=90))
    assert held
    watch.due(AgendaTask.DEADLINE)
    watch.tick()
    assert (watch.states(), watch.planned()) == (["running"], [(60, "deadline")])
    watch.tick(60)
    assert (watch.states(), watch.planned()) == (["running"], [(120, "deadline")])
    watch.tick(120)  # it died without a word
    assert (watch.states(), watch.scan.state) == (["failed"], ScanState.ERRORED)


def test_a_report_on_its_way_at_the_deadline_has_its_time_to_be_recorded(watch: Watch) -> None:
    watch.store(a_shard(), deadline_at=NOW)
    claim(watch.table, lease_until=NOW)
    watch.table.report_shard(SCAN_ID, 0, 1, a_run())
    watch.due(AgendaTask.DEADLINE)
    watch.tick(60)
    assert watch.states() == ["reported"]
    for minute in range(2, 17):
        watch.tick(60 * minute)
    assert watch.states() == ["failed"]


def test_a_scan_that_has_not_ended_an_hour_past_its_deadline_is_reported_as_stuck(watch: Watch) -> None:
    watch.store(a_shard(), deadline_at=NOW)
    assert claim(watch.table, lease_until=NOW + timedelta(hours=2))
    watch.due(AgendaTask.DEADLINE)
    assert watch.tick(3_540).stuck == []
    assert watch.tick(3_600).stuck == [SCAN_ID]


def test_a_scan_whose_task_has_failed_for_an_hour_is_reported_as_stuck(watch: Watch) -> None:
    watch.store(a_shard(state=ShardState.WAITING))
    watch.due(AgendaTask.RELEASE)
    watch.queues.down = True
    assert watch.tick(3_600).stuck == []
    assert watch.tick(3_601).stuck == [SCAN_ID]


def test_a_deadline_that_comes_after_the_end_changes_nothing(watch: Watch) -> None:
    watch.table.create_scan(a_scan(state=ScanState.DONE, shards_open=0, outcome=Outcome.COMPLETE, announced=True))
    before = watch.scan
    watch.due(AgendaTask.DEADLINE)
    watch.tick()
    assert (watch.scan, watch.planned(), watch.bus.events) == (before, [], [])


def test_shards_go_on_when_their_window_opens_and_the_next_change_is_on_the_agenda(watch: Watch) -> None:
    watch.store(a_shard(state=ShardState.WAITING), windows=("12:00-13:00",))
    watch.due(AgendaTask.RELEASE)
    watch.tick()
    assert (watch.states(), watch.sent(), watch.planned()) == (["queued"], [0], [(3600, "release")])


def test_outside_its_window_a_scan_waits(watch: Watch) -> None:
    watch.store(a_shard(state=ShardState.WAITING), windows=("13:00-14:00",))
    watch.due(AgendaTask.RELEASE)
    watch.tick()
    assert (watch.states(), watch.sent(), watch.planned()) == (["waiting"], [], [(3600, "release")])


def test_while_the_stack_is_halted_somebody_looks_every_minute_and_no_oftener(watch: Watch) -> None:
    watch.store(a_shard(state=ShardState.WAITING))
    watch.table.halt(Switch(halted_at=NOW))
    for after_s in (0, 5, 10):
        watch.due(AgendaTask.RELEASE, after_s)
    watch.tick(10)
    assert watch.planned() == [(60, "release")]
    watch.table.lift()
    watch.tick(60)
    assert (watch.states(), watch.planned()) == (["queued"], [])


def test_an_hourly_look_sends_messages_again_that_may_be_lost_and_only_those(watch: Watch) -> None:
    watch.store(*(a_shard(number=number) for number in range(3)), a_shard(number=3, state=ShardState.WAITING))
    claim(watch.table, 1, lease_until=NOW + timedelta(minutes=2))  # at work
    claim(watch.table, 2, lease_until=NOW - timedelta(minutes=2))  # its worker died
    watch.due(AgendaTask.LOOK)
    watch.tick()
    assert watch.sent() == [0, 2, 3]  # 3 was released: there is room
    assert watch.planned() == [(3600, "look")]


def test_a_look_at_a_suspended_scan_sends_nothing(watch: Watch) -> None:
    watch.store(a_shard(), a_shard(number=1, state=ShardState.WAITING), state=ScanState.SUSPENDED)
    watch.due(AgendaTask.LOOK)
    watch.tick()
    assert (watch.sent(), watch.planned()) == ([], [(3600, "look")])


def test_an_end_that_nobody_announced_is_announced_by_the_next_look(watch: Watch) -> None:
    watch.table.create_scan(a_scan(shards_open=0, shard_outcomes={"complete": 1}))
    watch.due(AgendaTask.LOOK)
    watch.tick()
    assert (watch.scan.state, event_names(watch.bus)) == (ScanState.PARSE_COMPLETED, ["ScanCompleted"])


def test_an_expired_scan_is_gone_with_its_objects_and_the_inventory_stays(watch: Watch, tmp_path: Path) -> None:
    watch.table.create_scan(a_scan(state=ScanState.DONE, shards_open=0))
    watch.table.add_shards([a_shard(state=ShardState.RECORDED)])
    (tmp_path / "report").write_bytes(b"<nmaprun/>")
    watch.reports.put_report(ReportKey(SCAN_ID, 0, 1), tmp_path / "report", {})
    watch.due(AgendaTask.EXPIRE)
    watch.tick()
    assert (watch.table.scans, watch.table.shards_by_key, watch.reports.objects) == ({}, {}, {})
    assert watch.planned() == []


def test_a_scan_whose_results_are_being_published_is_removed_later(watch: Watch) -> None:
    watch.table.create_scan(a_scan(state=ScanState.HOOK_PROCESSING, shards_open=0))
    watch.due(AgendaTask.EXPIRE)
    watch.tick()
    assert (list(watch.table.scans), watch.planned()) == ([SCAN_ID], [(60, "expire")])


def test_what_is_too_much_for_one_turn_is_removed_by_the_next_ones(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("on_minute_passed.run_due_tasks.MAX_REMOVED_AT_ONCE", 2)
    watch.table.create_scan(a_scan(state=ScanState.DONE, shards_open=0))
    watch.table.add_shards(a_shard(number=number, state=ShardState.RECORDED) for number in range(5))
    watch.due(AgendaTask.EXPIRE)
    left = []
    for minute in range(3):
        watch.tick(60 * minute, turns=1)
        left.append((len(watch.table.shards_by_key), len(watch.table.scans)))
    assert left == [(3, 1), (1, 1), (0, 0)]


def test_objects_go_before_the_items_that_say_there_are_some(watch: Watch) -> None:
    watch.table.create_scan(a_scan(state=ScanState.DONE, shards_open=0))
    watch.table.add_shards([a_shard(state=ShardState.RECORDED)])
    watch.due(AgendaTask.EXPIRE)
    watch.reports.down = True
    assert watch.tick().failures
    assert (len(watch.table.scans), len(watch.table.shards_by_key)) == (1, 1)
    watch.reports.down = False
    watch.tick()
    assert (watch.table.scans, watch.planned()) == ({}, [])


def test_a_deed_that_fails_fails_alone_and_stays_on_the_agenda(watch: Watch) -> None:
    watch.store(a_shard(state=ShardState.WAITING))
    watch.due(AgendaTask.RELEASE)
    watch.table.add_to_agenda(AgendaEntry(NOW, "b" * 16, AgendaTask.LOOK))  # of a scan that is gone
    watch.queues.down = True
    kept = watch.tick()
    assert (dict(kept.done), [scan_id for scan_id, _ in kept.failures]) == ({"look": 1}, [SCAN_ID])
    watch.queues.down = False
    assert dict(watch.tick().done) == {"release": 1}
    assert watch.states() == ["queued"]


def test_a_tick_begins_nothing_more_when_its_time_is_up_and_the_next_one_does_the_rest(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("on_minute_passed.run_due_tasks.MAX_DUE_AT_ONCE", 2)
    for second in range(5):
        watch.due(AgendaTask.DEADLINE, -second)
    assert [sum(watch.tick(turns=turns).done.values()) for turns in (3, 1, 9, 9)] == [3, 1, 1, 0]


def wide(watch: Watch, **fields: Any) -> None:
    """A scan of 250 shards: two are queued, one of these and a third run, the others wait."""
    states = (ShardState.QUEUED, ShardState.QUEUED, ShardState.QUEUED)
    watch.store(
        *(a_shard(number=number, state=state) for number, state in enumerate(states)),
        *(a_shard(number=number, state=ShardState.WAITING) for number in range(3, 250)),
        **fields,
    )
    claim(watch.table, 1, lease_until=NOW + timedelta(minutes=2))
    claim(watch.table, 2, lease_until=NOW - timedelta(minutes=2))


def open_shards(watch: Watch) -> list[int]:
    return [shard.number for shard in watch.table.shards(SCAN_ID) if shard.state in OPEN_STATES]


def test_a_wide_scan_past_its_deadline_is_ended_by_one_tick_but_for_what_runs(watch: Watch) -> None:
    wide(watch, deadline_at=NOW, hosts_up=1)
    watch.due(AgendaTask.DEADLINE)
    watch.tick()
    assert (open_shards(watch), watch.sent(), watch.planned()) == ([1], [], [(60, "deadline")])
    assert (watch.scan.shards_open, watch.scan.shards_waiting, watch.scan.shards_in_flight) == (1, 0, 1)
    watch.tick(180)
    assert (open_shards(watch), watch.scan.state) == ([], ScanState.PARSE_COMPLETED)
    assert watch.scan.shard_outcomes == {"timed-out": 250}


def test_a_turn_that_runs_out_of_time_leaves_the_rest_to_the_next_tick(watch: Watch) -> None:
    wide(watch, deadline_at=NOW, hosts_up=1)
    watch.due(AgendaTask.DEADLINE)
    left = []
    for minute in (0, 1, 2):
        watch.tick(60 * minute, turns=1)  # time for 99 shards, which is one transaction
        left.append((len(open_shards(watch)), watch.planned()))
    assert left == [(151, [(0, "deadline")]), (52, [(60, "deadline")]), (0, [])]


@pytest.mark.parametrize("what", [AgendaTask.LOOK, AgendaTask.RELEASE])
@pytest.mark.parametrize("windows", [(), ("13:00-14:00",)])
def test_whatever_looks_at_a_scan_past_its_deadline_ends_it_and_releases_nothing(
    watch: Watch, what: AgendaTask, windows: tuple[str, ...]
) -> None:
    watch.store(a_shard(), a_shard(number=1, state=ShardState.WAITING), deadline_at=NOW, windows=windows)
    watch.due(what)
    watch.tick()
    assert (watch.states(), watch.sent(), watch.planned()) == (["failed", "failed"], [], [])


def test_what_a_cancelled_scan_has_left_open_is_closed_by_the_next_look(watch: Watch) -> None:
    wide(watch, state=ScanState.CANCELLED, error_description="cancelled by soc")
    watch.due(AgendaTask.LOOK)
    watch.tick()
    assert (open_shards(watch), watch.planned(), event_names(watch.bus)) == ([], [], ["ScanCancelled"])
    assert (watch.scan.finished_at, watch.scan.error_description) == (NOW, "cancelled by soc")
    assert watch.states() == ["cancelled"] * 250


def test_a_cancelled_scan_whose_shards_are_not_stored_yet_is_looked_at_in_an_hour(watch: Watch) -> None:
    watch.table.create_scan(a_scan(state=ScanState.CANCELLED))
    watch.due(AgendaTask.LOOK)
    watch.tick()
    assert (watch.scan.finished_at, watch.planned()) == (None, [(3600, "look")])


def test_the_time_to_live_counts_from_the_end_of_the_scan() -> None:
    scan = a_scan(requested_at=NOW - timedelta(days=2), finished_at=NOW, expires_after_s=60)
    assert expiry_entry(scan) == AgendaEntry(NOW + timedelta(seconds=60), SCAN_ID, AgendaTask.EXPIRE)
    assert expiry_entry(a_scan(expires_after_s=60)) is None  # it has not ended
