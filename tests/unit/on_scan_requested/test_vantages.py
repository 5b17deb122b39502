"""A request that names vantages becomes a scan for each of them, under one scan that ends with the last."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec.structs import replace

from cascan.cost.budget import CostLimit
from cascan.errors import GatewayUnavailable
from cascan.events import ScanCompleted, ScanPlanned
from cascan.events.control import Action, ControlRequested
from cascan.gateways import ScanGateways
from cascan.model.scan import Outcome, Scan, ScanState
from cascan.model.shard import Lane, ShardClosing, ShardState
from cascan.model.vantage import Vantage
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.permissions.worker_reach import WorkerReach
from cascan.planning.rates import ScanDefaults
from cascan.scans.close import close_shard
from on_control_requested.control_scan import control_scan
from on_scan_requested.message import Message
from on_scan_requested.plan_scan import plan_scan
from on_scan_requested.store_refusal import PlanningResult
from tests.fakes import MemoryEventBus, MemoryOperatorRecords, MemoryReportStore, MemoryScanTable, MemoryShardQueues
from tests.fakes.cascades import MemoryIssuedRequests
from tests.support.builders import NOW, body, clock

QUEUES = {"connect": "https://sqs.local/connect", "raw": "https://sqs.local/raw"}
INTERNET = Vantage(name="internet", queues=QUEUES)
OFFICE = Vantage(name="office", queues={"connect": QUEUES["connect"]}, networks=("10.0.0.0/16",), stored_at=NOW)
BOTH = ["internet", "office"]


@dataclass
class Desk:
    table: MemoryScanTable = field(default_factory=MemoryScanTable)
    reports: MemoryReportStore = field(default_factory=MemoryReportStore)
    queues: MemoryShardQueues = field(default_factory=MemoryShardQueues)
    bus: MemoryEventBus = field(default_factory=MemoryEventBus)
    permissions: Permissions = field(default_factory=lambda: Permissions(Scope.of(["10.0.0.0/8"])))
    cost_limit: CostLimit = field(default_factory=CostLimit)

    def __post_init__(self) -> None:
        for vantage in (INTERNET, OFFICE):
            self.table.put_vantage(vantage)

    @property
    def gateways(self) -> ScanGateways:
        return ScanGateways(self.table, self.queues, self.bus, clock)

    def submit(self, **fields: Any) -> PlanningResult:
        fields = {"targets": ["10.0.0.1"], "vantage": BOTH} | fields
        return plan_scan(
            Message("m-1", body(**fields), "alice"),
            self.gateways,
            issued=MemoryIssuedRequests(),
            reports=self.reports,
            permissions=self.permissions,
            defaults=ScanDefaults(),
            cost_limit=self.cost_limit,
        )

    def scan(self, planned: PlanningResult) -> Scan:
        return self.table.scans[planned.scan_id]

    def members(self, planned: PlanningResult) -> list[Scan]:
        return [self.table.scans[scan_id] for scan_id in self.scan(planned).members]

    def end(self, member: Scan, outcome: Outcome = Outcome.COMPLETE, findings: int = 1) -> None:
        closing = ShardClosing(state=ShardState.RECORDED, outcome=outcome, findings=findings, hosts_up=1)
        for shard in list(self.table.shards(member.scan_id)):
            close_shard(member.scan_id, shard.number, closing, self.gateways)

    def control(self, planned: PlanningResult, action: Action) -> None:
        control_scan(
            ControlRequested(scan_id=planned.scan_id, action=action),
            self.gateways,
            reports=self.reports,
            operator_records=MemoryOperatorRecords(),
            stack_switch=self.table,
        )


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_one_vantage_is_a_scan_whose_shards_go_to_its_queue(desk: Desk) -> None:
    planned = desk.submit(vantage=["office"])
    scan = desk.scan(planned)
    assert (scan.vantage, scan.members, scan.state) == ("office", (), ScanState.SCANNING)
    assert [message.shard for message in desk.queues.sent_to["office", Lane.CONNECT]] == [0]
    assert not any(desk.queues.sent.values())


def test_the_stacks_launcher_starts_no_worker_for_another_vantage(desk: Desk) -> None:
    desk.submit(vantage=["office"])
    (event,) = desk.bus.events
    assert isinstance(event, ScanPlanned)
    assert (event.vantage, event.lanes) == ("office", {})


def test_without_a_vantage_the_stacks_own_workers_scan(desk: Desk) -> None:
    planned = desk.submit(vantage=[])
    assert desk.scan(planned).vantage == "default"
    assert len(desk.queues.sent[Lane.EXPRESS]) == 1


def test_several_vantages_are_members_of_one_scan(desk: Desk) -> None:
    planned = desk.submit()
    scan, members = desk.scan(planned), desk.members(planned)
    assert [member.vantage for member in members] == BOTH
    assert {member.member_of for member in members} == {scan.scan_id}
    assert {member.name for member in members} == {scan.name}
    assert (scan.shards, scan.shards_open, scan.state) == (2, 2, ScanState.SCANNING)
    assert list(desk.table.shards(scan.scan_id)) == []
    for name in BOTH:
        assert len(desk.queues.sent_to[name, Lane.CONNECT]) == 1


def test_a_message_delivered_twice_makes_the_same_members(desk: Desk) -> None:
    desk.submit()
    stored = dict(desk.table.scans), dict(desk.table.shards_by_key)
    desk.submit()
    assert (dict(desk.table.scans), dict(desk.table.shards_by_key)) == stored


def test_a_delivery_that_broke_off_between_members_is_completed(desk: Desk) -> None:
    desk.queues.down = True
    with pytest.raises(GatewayUnavailable):
        desk.submit()
    desk.queues.down = False
    planned = desk.submit()
    assert [member.state for member in desk.members(planned)] == [ScanState.SCANNING] * 2
    assert desk.scan(planned).state is ScanState.SCANNING


def test_members_share_the_rate_and_the_shards_at_once(desk: Desk) -> None:
    planned = desk.submit(parameters=["--max-rate", "100"], targets=["10.0.0.0/24"], maxParallelShards=4)
    rates = [next(desk.table.shards(member.scan_id)).arguments for member in desk.members(planned)]
    assert [arguments[arguments.index("--max-rate") + 1] for arguments in rates] == ["50", "50"]
    assert all(member.parallel <= 2 for member in desk.members(planned))


def test_fewer_shards_at_once_than_vantages_are_refused(desk: Desk) -> None:
    assert "maxParallelShards: 1 is less than one for each of 2 vantages" in desk.submit(maxParallelShards=1).refused


def test_the_scan_ends_with_its_last_member_and_adds_up(desk: Desk) -> None:
    planned = desk.submit()
    first, second = desk.members(planned)
    desk.end(first, findings=2)
    assert desk.scan(planned).state is ScanState.SCANNING
    desk.end(second, Outcome.NOTHING_ANSWERED, findings=0)
    scan = desk.scan(planned)
    assert (scan.state, scan.outcome) == (ScanState.PARSE_COMPLETED, Outcome.COMPLETE)
    assert (scan.findings.count, scan.hosts_up) == (2, 2)
    ends = [event for event in desk.bus.events if isinstance(event, ScanCompleted)]
    assert [(event.vantage, event.members) for event in ends] == [
        ("internet", ()),
        ("", scan.members),
        ("office", ()),
    ]


def test_a_member_that_ends_twice_is_counted_once(desk: Desk) -> None:
    planned = desk.submit()
    first, _ = desk.members(planned)
    desk.end(first)
    desk.table.mark_announced(first.scan_id, announced=False)  # the delivery died before it was marked
    desk.end(first)
    assert desk.scan(planned).shards_open == 1


def test_a_flaw_of_one_member_is_a_flaw_of_the_scan(desk: Desk) -> None:
    planned = desk.submit()
    first, second = desk.members(planned)
    desk.end(first, Outcome.FAILED)
    desk.end(second)
    scan = desk.scan(planned)
    assert scan.outcome is Outcome.PARTIAL
    assert scan.reasons.counts


def test_cancelling_the_scan_cancels_its_members(desk: Desk) -> None:
    planned = desk.submit()
    desk.control(planned, Action.CANCEL)
    assert {member.state for member in desk.members(planned)} == {ScanState.CANCELLED}
    scan = desk.scan(planned)
    assert (scan.state, scan.shards_open) == (ScanState.CANCELLED, 0)
    assert scan.outcome is not None


def test_suspending_and_resuming_the_scan_reaches_its_members(desk: Desk) -> None:
    planned = desk.submit()
    desk.control(planned, Action.SUSPEND)
    assert {member.state for member in desk.members(planned)} == {ScanState.SUSPENDED}
    desk.control(planned, Action.RESUME)
    assert {member.state for member in desk.members(planned)} == {ScanState.SCANNING}
    assert desk.scan(planned).state is ScanState.SCANNING


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"vantage": ["moon"]}, "vantage: moon is not known here; known are default, internet, office"),
        ({"vantage": ["internet", "internet"]}, "vantage[1]: internet is listed twice"),
        ({"vantage": ["Über"]}, "vantage[0]: 'Über' is no name"),
        ({"vantage": ["a"] * 9}, "vantage: 9 entries are more than 8"),
        ({"targets": ["10.9.0.1"]}, "10.9.0.1 is not in the networks that workers of vantage office reach"),
        ({"parameters": ["-sS"]}, "vantage office has no raw workers"),
    ],
)
def test_a_request_that_one_vantage_cannot_run_is_refused_as_a_whole(
    desk: Desk, fields: dict[str, Any], sentence: str
) -> None:
    planned = desk.submit(**fields)
    assert sentence in planned.refused
    assert desk.scan(planned).state is ScanState.ERRORED
    assert len(desk.table.scans) == 1


def test_a_vantage_that_was_removed_is_not_known_any_more(desk: Desk) -> None:
    desk.table.put_vantage(replace(OFFICE, removed_at=NOW))
    assert "office is not known here" in desk.submit(vantage=["office"]).refused


def test_the_budget_holds_for_all_members_together(desk: Desk) -> None:
    one = desk.submit(vantage=["internet"], targets=["10.0.0.0/16"], parameters=["-p-"], budgetUsd=600)
    desk.table.scans.clear()
    both = desk.submit(vantage=BOTH, targets=["10.0.0.0/16"], parameters=["-p-"], budgetUsd=600)
    assert (one.refused, "budgetUsd" in both.refused) == ("", True)


def test_the_reach_of_the_stack_is_not_that_of_its_vantages(desk: Desk) -> None:
    desk.permissions = replace(desk.permissions, reach=WorkerReach())  # the small VPC: public addresses alone
    assert "not a public address" in desk.submit(vantage=[]).refused
    desk.table.scans.clear()
    assert desk.submit(vantage=["office"]).refused == ""
