"""What is asked of a scan is done once and for all of it, however often and late the message comes."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from cascan.errors import GatewayUnavailable, MalformedMessage
from cascan.events.control import Action, ControlRequested
from cascan.gateways import ScanGateways
from cascan.limits import MAX_SENDER_CHARS
from cascan.model.scan import Outcome, Scan, ScanState
from cascan.model.shard import Lane, Shard, ShardState
from cascan.recovery.scan_records import read_suspension
from on_control_requested.control_scan import ControlOutcome, control_scan
from tests.fakes import MemoryEventBus, MemoryOperatorRecords, MemoryReportStore, MemoryScanTable, MemoryShardQueues
from tests.support.builders import SCAN_ID, a_scan, a_shard, claim, clock, event_names


@dataclass
class Desk:
    table: MemoryScanTable = field(default_factory=MemoryScanTable)
    queues: MemoryShardQueues = field(default_factory=MemoryShardQueues)
    bus: MemoryEventBus = field(default_factory=MemoryEventBus)
    reports: MemoryReportStore = field(default_factory=MemoryReportStore)
    house: MemoryOperatorRecords = field(default_factory=MemoryOperatorRecords)

    def ask(self, action: str, scan_id: str = SCAN_ID, *, sender: str = "", **more: str) -> ControlOutcome:
        asked = ControlRequested(action=Action(action), scan_id=scan_id, **more)
        return control_scan(
            asked,
            ScanGateways(self.table, self.queues, self.bus, clock),
            sender=sender,
            reports=self.reports,
            operator_records=self.house,
            stack_switch=self.table,
        )

    def store(self, *shards: Shard, **fields: object) -> None:
        waiting = sum(shard.state is ShardState.WAITING for shard in shards)
        self.table.create_scan(
            a_scan(
                shards=len(shards),
                shards_open=len(shards),
                shards_waiting=waiting,
                shards_in_flight=len(shards) - waiting,
                **fields,
            )
        )
        self.table.add_shards(shards)

    @property
    def scan(self) -> Scan:
        return self.table.scans[SCAN_ID]

    def states(self) -> list[str]:
        return [shard.state.value for shard in self.table.shards(SCAN_ID)]

    def sent(self) -> list[int]:
        return [message.shard for lane in Lane for message in self.queues.sent[lane]]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_cancelled_scan_has_no_open_shard_and_says_who_ended_it_and_why(desk: Desk) -> None:
    desk.store(a_shard(), a_shard(number=1, state=ShardState.WAITING), a_shard(number=2))
    claim(desk.table, 2)
    asked = desk.ask("cancel", by="soc", reason="wrong network")
    assert asked.scan_state == "Cancelled"
    assert desk.states() == ["cancelled"] * 3
    assert (desk.scan.shards_open, desk.scan.shards_waiting, desk.scan.shards_in_flight) == (0, 0, 0)
    assert (desk.scan.finished_at, desk.scan.error_description) == (clock(), "cancelled by soc: wrong network")
    assert event_names(desk.bus) == ["ScanCancelled"]


def test_a_worker_that_runs_a_cancelled_shard_loses_it_with_its_next_heartbeat(desk: Desk) -> None:
    desk.store(a_shard())
    held = claim(desk.table)
    assert held
    desk.ask("cancel")
    assert not desk.table.beat(SCAN_ID, 0, held.attempt, lease_until=clock())


def test_cancelling_twice_is_cancelling_once(desk: Desk) -> None:
    desk.store(a_shard())
    desk.ask("cancel")
    before = desk.scan
    desk.ask("cancel")
    assert desk.scan == before
    assert event_names(desk.bus) == ["ScanCancelled"]


@pytest.mark.parametrize("state", [ScanState.DONE, ScanState.ERRORED, ScanState.PARSE_COMPLETED])
@pytest.mark.parametrize("action", ["cancel", "suspend", "resume"])
def test_what_comes_too_late_changes_nothing(desk: Desk, action: str, state: ScanState) -> None:
    desk.table.create_scan(a_scan(state=state, shards_open=0, outcome=Outcome.COMPLETE, announced=True))
    before = desk.scan
    assert desk.ask(action).scan_state == state
    assert desk.scan == before
    assert desk.bus.events == []


def test_a_break_in_the_middle_of_cancelling_is_mended_by_the_next_delivery(desk: Desk) -> None:
    desk.store(a_shard(), a_shard(number=1))
    desk.bus.down = True
    with pytest.raises(GatewayUnavailable):
        desk.ask("cancel")
    desk.bus.down = False
    desk.ask("cancel")
    assert (desk.scan.state, desk.scan.announced, event_names(desk.bus)) == ("Cancelled", True, ["ScanCancelled"])


def test_a_scan_cancelled_before_its_shards_were_stored_ends_once_they_are(desk: Desk) -> None:
    desk.table.create_scan(a_scan(state=ScanState.INIT))
    desk.ask("cancel")
    assert desk.scan.finished_at is None  # its shard is counted, and not there yet
    desk.table.add_shards([a_shard()])
    desk.ask("cancel")
    assert desk.scan.finished_at == clock()


def test_a_suspended_scan_is_not_released_and_goes_on_where_it_stood(desk: Desk) -> None:
    desk.store(a_shard(state=ShardState.WAITING), a_shard(number=1, state=ShardState.WAITING))
    assert desk.ask("suspend").scan_state == "Suspended"
    assert desk.ask("resume").released == 2
    assert (desk.scan.state, desk.states(), desk.sent()) == (ScanState.SCANNING, ["queued", "queued"], [0, 1])
    assert event_names(desk.bus) == ["ScanSuspended", "ScanResumed"]


def test_resuming_keeps_to_the_ceiling_of_the_scan(desk: Desk) -> None:
    shards = [a_shard(number=number, state=ShardState.WAITING) for number in range(5)]
    desk.store(*shards, state=ScanState.SUSPENDED, parallel=2)
    assert desk.ask("resume").released == 2
    assert desk.states() == ["queued", "queued", "waiting", "waiting", "waiting"]


def test_a_resume_that_broke_off_after_the_state_is_finished_by_its_repeat(desk: Desk) -> None:
    desk.store(a_shard(state=ShardState.WAITING), state=ScanState.SUSPENDED)
    desk.queues.down = True
    with pytest.raises(GatewayUnavailable):
        desk.ask("resume")
    desk.queues.down = False
    assert desk.ask("resume").released == 1
    assert desk.sent() == [0]


def test_nothing_is_released_while_the_stack_is_halted_and_all_of_it_when_it_is_lifted(desk: Desk) -> None:
    desk.store(a_shard(state=ShardState.WAITING), state=ScanState.SUSPENDED)
    desk.ask("halt", "", by="soc", reason="too loud")
    assert desk.ask("resume").released == 0
    switch = desk.table.switch()
    assert switch
    assert (switch.by, switch.reason) == ("soc", "too loud")
    assert desk.ask("lift", "").released == 1
    assert desk.table.switch() is None


def test_what_stands_still_is_kept_for_a_rebuild_and_what_goes_on_again_too(desk: Desk) -> None:
    desk.store(a_shard(state=ShardState.WAITING))
    for action, suspended in (("suspend", True), ("suspend", True), ("resume", False), ("resume", False)):
        desk.ask(action)
        assert read_suspension(desk.reports, SCAN_ID) is suspended
    for action, switch in (("halt", True), ("lift", False)):
        desk.ask(action, "")
        assert (desk.house.texts["switch.json"] != b"null") is switch


def test_a_suspension_that_could_not_be_kept_comes_again(desk: Desk) -> None:
    desk.store(a_shard(state=ShardState.WAITING))
    desk.reports.down = True
    with pytest.raises(GatewayUnavailable):
        desk.ask("suspend")
    assert desk.scan.state is ScanState.SUSPENDED  # that comes first
    desk.reports.down = False
    desk.ask("suspend")
    assert read_suspension(desk.reports, SCAN_ID)


def test_a_scan_that_is_not_there_is_a_message_to_be_parked(desk: Desk) -> None:
    with pytest.raises(MalformedMessage, match=f"there is no scan {SCAN_ID}"):
        desk.ask("cancel")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('{"action": "kill", "scanId": "abcdefghijklmnop"}', "Invalid enum value 'kill'"),
        ('{"action": "cancel"}', "cancel needs scanId"),
        ('{"action": "cancel", "scanId": "../x"}', "cancel needs scanId"),
        ('{"action": "halt", "scanId": "abcdefghijklmnop"}', "halt is about the whole stack"),
        ('{"action": "lift", "reason": "' + "x" * 1025 + '"}', "at most 1024 characters"),
        ("stop!", "not a ControlRequested message"),
    ],
)
def test_what_is_no_control_message_is_refused(body: str, says: str) -> None:
    with pytest.raises(MalformedMessage, match=says):
        ControlRequested.from_wire(body)


def test_who_suspended_a_scan_is_stored_with_it_and_stays_when_it_goes_on(desk: Desk) -> None:
    desk.store(a_shard())
    desk.ask("suspend", by="ada", reason="night work", sender="AIDAEXAMPLE" + "x" * 1_000)
    suspension = desk.scan.suspension
    assert suspension
    assert (suspension.by, suspension.reason, suspension.at) == ("ada", "night work", clock())
    assert suspension.sender == ("AIDAEXAMPLE" + "x" * 1_000)[:MAX_SENDER_CHARS]
    desk.ask("resume", sender="AIDAANOTHER")
    assert desk.scan.suspension == suspension


def test_a_suspend_that_comes_too_late_does_not_say_who_sent_it(desk: Desk) -> None:
    desk.store(a_shard(), state=ScanState.DONE)
    desk.ask("suspend", sender="AIDAEXAMPLE")
    assert desk.scan.suspension is None
