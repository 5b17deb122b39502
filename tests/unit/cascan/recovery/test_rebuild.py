"""A lost table is made again from the bucket: what was over stays over, what was open goes on, nothing twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from cascan.events import ReportStored, ScanCompleted
from cascan.events.control import Action, ControlRequested
from cascan.gateways import ScanGateways
from cascan.ids import ReportKey
from cascan.model.agenda import AgendaTask
from cascan.model.scan import FINAL_STATES, Outcome, Scan, ScanState
from cascan.model.shard import Lane, ProposedCut, Shard, ShardClosing, ShardCut, ShardState, split_shard
from cascan.model.vantage import Vantage
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.planning.rates import ScanDefaults
from cascan.recovery.rebuild import RebuildResult, rebuild
from cascan.recovery.scan_records import ReportedShard, store_run
from cascan.scans.close import close_shard
from cascan.scans.close_open_shards import cancel_scan
from cascan.scans.transitions import StopReason
from on_control_requested.control_scan import control_scan
from on_minute_passed.run_due_tasks import run_due_tasks
from on_report_stored.record_findings import record_findings
from on_scan_completed.publish import publish, record_end
from on_scan_requested.message import Message
from on_scan_requested.plan_scan import plan_scan
from tests.data.reports import report
from tests.fakes import MemoryEventBus, MemoryOperatorRecords, MemoryReportStore, MemoryScanTable, MemoryShardQueues
from tests.fakes.cascades import MemoryIssuedRequests
from tests.support.builders import NOW, a_run, body, claim, clock, proven

SCOPE = Scope.of(["127.0.0.0/8"])


def later() -> datetime:
    return NOW + timedelta(seconds=1)


@dataclass
class World:
    """The stages that write to the bucket, over one table that can be lost."""

    folder: Path
    table: MemoryScanTable = field(default_factory=MemoryScanTable)
    reports: MemoryReportStore = field(default_factory=MemoryReportStore)
    queues: MemoryShardQueues = field(default_factory=MemoryShardQueues)
    bus: MemoryEventBus = field(default_factory=MemoryEventBus)

    def plan(self, key: str = "m-1", **fields: object) -> str:
        request = {"targets": ["127.0.0.0/30"], "hostsPerShard": 1, "parameters": ["-n"], "idempotencyKey": key}
        planned = plan_scan(
            Message(key, body(**request | fields)),
            ScanGateways(self.table, self.queues, self.bus, clock),
            issued=MemoryIssuedRequests(),
            reports=self.reports,
            permissions=Permissions(SCOPE),
            defaults=ScanDefaults(),
        )
        return planned.scan_id

    def run(self, scan_id: str, number: int, *, cut: ShardCut | None = None, stored: bool = True) -> None:
        """A worker claims the shard and reports it, or cuts it."""
        shard = claim(self.table, number, scan_id=scan_id, message_id=f"of {number}")
        assert shard
        rest: Shard | None = None
        if cut:
            proposed = ProposedCut(remaining=cut.remaining, lane=cut.lane)
            self.table.report_shard(scan_id, number, shard.attempt, cut.run, proposed)
            rest = self.table.cut_shard(scan_id, number, shard.attempt, cut)
            assert rest
            shard, _ = split_shard(shard, cut, rest.number)
        else:
            ran = a_run(attempt=shard.attempt, addresses=shard.addresses)
            self.table.report_shard(scan_id, number, shard.attempt, ran)
            shard = replace(shard, state=ShardState.REPORTED, run=ran)
        store_run(self.reports, ReportedShard(shard, rest))
        if stored:
            path = self.folder / "report.xml"
            path.write_bytes(report("versions").replace(b'addr="127.0.0.1"', f'addr="127.0.0.{number}"'.encode()))
            key = ReportKey(scan_id, number, shard.attempt)
            self.reports.put_report(key, path, proven(key, self.table.scans[scan_id].shard_secret))

    def record(self, scan_id: str, number: int) -> None:
        key = ReportKey(scan_id, number, 1)
        gateways = ScanGateways(self.table, self.queues, self.bus, later)
        stored = ReportStored(str(key), "", 0, "e")
        record_findings(stored, gateways, scope=SCOPE, reports=self.reports, results=self.table)

    def control(self, action: str, scan_id: str) -> None:
        asked = ControlRequested(action=Action(action), scan_id=scan_id)
        gateways = ScanGateways(self.table, self.queues, self.bus, clock)
        control_scan(
            asked, gateways, reports=self.reports, operator_records=MemoryOperatorRecords(), stack_switch=self.table
        )

    def finish(self, scan_id: str, shards: int = 4) -> None:
        for number in range(shards):
            self.run(scan_id, number)
            self.record(scan_id, number)
        (completed,) = [e for e in self.bus.events if isinstance(e, ScanCompleted) and e.scan_id == scan_id]
        publish(completed, table=self.table, reports=self.reports)

    def lose_the_table(self) -> RebuildResult:
        self.table = MemoryScanTable()
        self.bus.events.clear()
        self.queues.sent.clear()
        return self.rebuild()

    def rebuild(self) -> RebuildResult:
        record = partial(
            record_findings,
            scope=SCOPE,
            reports=self.reports,
            results=self.table,
            is_rebuild=True,
        )
        return rebuild(table=self.table, reports=self.reports, record=record, clock=clock)

    def tick(self) -> None:
        kept = run_due_tasks(ScanGateways(self.table, self.queues, self.bus, clock), self.reports)
        assert not kept.failures

    def scan(self, scan_id: str) -> Scan:
        return self.table.scans[scan_id]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_scan_that_was_done_is_as_it_was_and_nothing_is_announced(world: World) -> None:
    scan_id = world.plan()
    world.finish(scan_id)
    before, findings, hosts = world.scan(scan_id), world.table.findings_by_key, world.table.hosts_by_address
    looks = world.table.looks_by_vantage
    assert looks["default"]
    changes, shards = world.table.changes_by_key, world.table.shards_by_key
    assert (before.state, before.outcome, len(hosts)) == (ScanState.DONE, Outcome.COMPLETE, 4)

    rebuilt = world.lose_the_table()
    world.tick()

    assert (rebuilt.scans, rebuilt.reports, rebuilt.open) == (1, 4, 0)
    assert world.scan(scan_id) == before
    assert (world.table.findings_by_key, world.table.hosts_by_address) == (findings, hosts)
    assert world.table.looks_by_vantage == looks
    assert world.table.changes_by_key == changes
    assert {key: (s.state, s.outcome, s.run, s.attempt) for key, s in world.table.shards_by_key.items()} == {
        key: (s.state, s.outcome, s.run, s.attempt) for key, s in shards.items()
    }
    assert (world.bus.events, dict(world.queues.sent)) == ([], {})


@pytest.mark.parametrize(
    ("asked", "state"),
    [(["suspend"], ScanState.SUSPENDED), (["suspend", "resume"], ScanState.SCANNING), ([], ScanState.SCANNING)],
)
def test_a_scan_that_somebody_suspended_stays_so_until_it_is_resumed(
    world: World, asked: list[str], state: ScanState
) -> None:
    scan_id = world.plan()
    world.run(scan_id, 0)
    world.record(scan_id, 0)
    for action in asked:
        world.control(action, scan_id)
    world.lose_the_table()
    world.tick()
    assert world.scan(scan_id).state is state
    sent = [message.shard for messages in world.queues.sent.values() for message in messages]
    assert sorted(set(sent)) == ([] if state is ScanState.SUSPENDED else [1, 2, 3])


def test_the_second_rebuild_changes_nothing(world: World) -> None:
    world.finish(world.plan())
    world.plan("m-2")
    world.lose_the_table()
    scans, findings, shards = (
        dict(world.table.scans),
        dict(world.table.findings_by_key),
        dict(world.table.shards_by_key),
    )
    again = world.rebuild()
    assert (again.scans, again.left) == (0, 2)
    assert (world.table.scans, world.table.findings_by_key, world.table.shards_by_key) == (scans, findings, shards)


@pytest.mark.parametrize("calls", range(1, 30, 3))
def test_a_rebuild_that_breaks_off_anywhere_is_finished_by_the_next(world: World, calls: int) -> None:
    done, open_ = world.plan(), world.plan("m-2")
    world.finish(done)
    world.run(open_, 0)
    before = world.scan(done)
    world.table = Failing(calls)
    with pytest.raises(ConnectionError):
        world.rebuild()
    assert isinstance(world.table, Failing)
    world.table.left = 1_000_000
    world.bus.events.clear()
    world.queues.sent.clear()
    world.rebuild()

    assert world.scan(done) == before
    assert world.bus.events == []
    world.tick()
    assert sorted(m.shard for m in world.queues.sent[Lane.CONNECT]) == [1, 2, 3]
    assert not world.scan(open_).announced


class Failing(MemoryScanTable):
    """Dies before the write number `left`."""

    def __init__(self, left: int) -> None:
        self.left = left
        super().__init__()

    def _reach(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise ConnectionError


def test_shards_that_were_open_are_asked_again_and_those_recorded_are_not(world: World) -> None:
    scan_id = world.plan()
    world.run(scan_id, 0)
    world.record(scan_id, 0)
    claim(world.table, 1, scan_id=scan_id)  # its worker was busy when the table was lost

    rebuilt = world.lose_the_table()
    assert (rebuilt.open, world.scan(scan_id).shards_open, world.queues.sent) == (1, 3, {})
    world.tick()
    assert sorted(message.shard for message in world.queues.sent[Lane.CONNECT]) == [1, 2, 3]
    again = claim(world.table, 1, scan_id=scan_id)
    assert again
    assert again.attempt > 1  # whoever still runs the first attempt has lost the shard
    assert not world.table.beat(scan_id, 1, 1, lease_until=NOW)


def test_a_report_that_nobody_had_recorded_is_recorded_and_the_end_is_told_once(world: World) -> None:
    scan_id = world.plan(targets=["127.0.0.1"])
    world.run(scan_id, 0)
    world.lose_the_table()
    world.tick()
    assert world.scan(scan_id).state is ScanState.PARSE_COMPLETED
    assert [type(event).__name__ for event in world.bus.events] == ["ScanCompleted"]


def test_a_record_without_its_report_is_asked_again(world: World) -> None:
    scan_id = world.plan(targets=["127.0.0.1"])
    world.run(scan_id, 0, stored=False)
    world.lose_the_table()
    assert world.table.shards_by_key[scan_id, 0].state is ShardState.QUEUED


def test_a_scan_that_was_cut_keeps_both_parts(world: World) -> None:
    scan_id = world.plan(hostsPerShard=4)
    shard = world.table.shards_by_key[scan_id, 0]
    (whole,) = shard.slices
    done, rest = replace(whole, stop=1), replace(whole, start=1)
    run = a_run(attempt=1, addresses=1, cut=True, stopped=StopReason.WORKER.value)
    world.run(
        scan_id, 0, cut=ShardCut(run=run, done=(done,), remaining=(rest,), lane=Lane.CONNECT, to=ShardState.QUEUED)
    )
    world.lose_the_table()
    scan, shards = world.scan(scan_id), list(world.table.shards(scan_id))
    assert [(s.slices, s.state) for s in shards] == [((done,), ShardState.RECORDED), ((rest,), ShardState.QUEUED)]
    assert (scan.shards, scan.shards_open, scan.shards_in_flight) == (2, 1, 1)
    assert len(world.table.hosts_by_address) == 1


def test_a_cancelled_scan_stays_cancelled(world: World) -> None:
    scan_id = world.plan()
    world.run(scan_id, 0)
    world.record(scan_id, 0)
    cancel_scan(scan_id, "enough", ScanGateways(world.table, world.queues, world.bus, clock))
    record_end(scan_id, table=world.table, reports=world.reports)
    before = world.scan(scan_id)
    world.lose_the_table()
    world.tick()
    assert world.scan(scan_id) == before
    assert before.state is ScanState.CANCELLED
    assert (world.bus.events, world.queues.sent) == ([], {})


def test_a_refused_scan_keeps_its_reasons(world: World) -> None:
    scan_id = world.plan(targets=["192.0.2.1"])
    record_end(scan_id, table=world.table, reports=world.reports)
    before = world.scan(scan_id)
    world.lose_the_table()
    assert world.scan(scan_id) == before
    assert before.refusals


def test_a_scan_with_a_shard_that_was_given_up_stays_over(world: World) -> None:
    scan_id = world.plan()
    for number in range(3):
        world.run(scan_id, number)
        world.record(scan_id, number)
    closing = ShardClosing(state=ShardState.FAILED, outcome=Outcome.TIMED_OUT, error_description="too slow")
    world.table.close_shard(scan_id, 3, closing)
    world.record(scan_id, 0)
    (completed,) = [event for event in world.bus.events if isinstance(event, ScanCompleted)]
    publish(completed, table=world.table, reports=world.reports)
    before = world.scan(scan_id)
    world.lose_the_table()
    world.tick()
    assert world.scan(scan_id) == before
    assert (before.state, before.outcome) == (ScanState.DONE, Outcome.TIMED_OUT)
    assert world.queues.sent == {}


def test_what_is_to_expire_still_does(world: World) -> None:
    scan_id = world.plan(ttlSecondsAfterFinished=60)
    world.finish(scan_id)
    world.lose_the_table()
    assert [(entry.scan_id, entry.task) for entry in world.table.agenda] == [(scan_id, AgendaTask.EXPIRE)]


def plan_at_two_vantages(world: World) -> tuple[Scan, list[Scan]]:
    """A scan of one shard at each vantage, and its members."""
    for name in ("inside", "outside"):
        world.table.put_vantage(Vantage(name=name, queues={"connect": f"https://sqs.test/{name}"}))
    scan = world.scan(world.plan(targets=["127.0.0.0"], vantage=["inside", "outside"]))
    return scan, [world.scan(scan_id) for scan_id in scan.members]


def test_a_scan_of_several_vantages_and_its_members_are_as_they_were(world: World) -> None:
    scan, members = plan_at_two_vantages(world)
    for member in members:
        world.finish(member.scan_id, shards=1)
    (completed,) = [e for e in world.bus.events if isinstance(e, ScanCompleted) and e.scan_id == scan.scan_id]
    publish(completed, table=world.table, reports=world.reports)
    before = {scan_id: world.scan(scan_id) for scan_id in (scan.scan_id, *scan.members)}
    assert before[scan.scan_id].shard_outcomes == {"complete": 2}

    assert world.lose_the_table().scans == 3
    secret = {"shard_secret": ""}
    after = {scan_id: replace(world.scan(scan_id), **secret) for scan_id in before}
    assert after == {scan_id: replace(stored, **secret) for scan_id, stored in before.items()}
    assert not world.bus.events


def test_a_scan_whose_last_member_is_open_ends_with_it_after_a_rebuild(world: World) -> None:
    scan, (ended, still_open) = plan_at_two_vantages(world)
    world.finish(ended.scan_id, shards=1)
    world.lose_the_table()
    for vantage in ("inside", "outside"):
        world.table.put_vantage(Vantage(name=vantage, queues={"connect": f"https://sqs.test/{vantage}"}))
    assert world.scan(scan.scan_id).shards_open == 1

    closing = ShardClosing(state=ShardState.RECORDED, outcome=Outcome.COMPLETE)
    close_shard(still_open.scan_id, 0, closing, ScanGateways(world.table, world.queues, world.bus, later))
    assert world.scan(scan.scan_id).state is ScanState.PARSE_COMPLETED
    assert {event.scan_id for event in world.bus.events} == {scan.scan_id, still_open.scan_id}


def test_a_scan_in_the_table_is_newer_than_its_records_and_left_alone(world: World) -> None:
    scan_id = world.plan()
    world.run(scan_id, 0)
    before = world.scan(scan_id)
    assert world.rebuild().left == 1
    assert world.scan(scan_id) == before
    assert before.state not in FINAL_STATES


def test_records_that_cannot_be_read_do_not_stop_the_others(world: World) -> None:
    bad, good = world.plan(), world.plan("m-2")
    world.reports.records_by_key[bad, "plan.jsonl"] = b'{"scan_id": 1}\n'
    rebuilt = world.lose_the_table()
    assert (rebuilt.unreadable, list(world.table.scans)) == (1, [good])
