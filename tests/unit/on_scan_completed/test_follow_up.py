"""A completion told twice, cut short at every write, or told of a scan that others spent the budget of."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from cascan.cascades.caps import Caps
from cascan.cascades.child_documents import build_child_request
from cascan.errors import GatewayUnavailable, MalformedMessage
from cascan.events import BusEvent, CascadeCapped, CascadeRefused, CascadeRequested, ScanCompleted
from cascan.findings.by_host import group_by_host
from cascan.forms import read_request
from cascan.gateways import ScanGateways
from cascan.ids import derive_scan_id
from cascan.model.cascade import BudgetUse, Reservation
from cascan.model.finding import Finding
from cascan.model.inventory import Change, ChangeKind, Sighting
from cascan.model.scan import Outcome, Scan, ScanState
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.planning.rates import ScanDefaults
from cascan.scans.close import build_end_event
from on_scan_completed.follow_up import CascadeRunner
from on_scan_requested.message import Message
from on_scan_requested.plan_scan import plan_scan
from on_scan_requested.store_refusal import PlanningResult
from tests.fakes import MemoryEventBus, MemoryReportStore, MemoryScanTable, MemoryShardQueues
from tests.fakes.cascades import Crash, MemoryCascadeTable, MemoryIssuedRequests, MemoryRequestQueue, MemoryRuleTable
from tests.support.builders import NOW, SCAN_ID, a_request, clock
from tests.support.cascading import PERMIT, a_finding, a_parent, a_rule, decide, rule_document, the_child

FINDINGS = [a_finding("10.0.0.1", 443), a_finding("10.0.0.2", 443), a_finding("192.0.2.1", 443)]
RULES = [rule_document("one"), rule_document("two", scanType="nikto", parameters=["-h", "{{$.hostOrIP}}"])]

WRITES = 12  # of the completion below: the rules, three children, the refusals, the end; each child sent and marked


class Bus(MemoryEventBus):
    """A bus that a crash can stand before."""

    crash: Crash | None = None

    def put(self, events: Iterable[BusEvent]) -> None:
        if self.crash:
            self.crash()
        super().put(events)


def planned_in(
    table: MemoryScanTable,
    message_id: str,
    request: str,
    permit: Permissions = PERMIT,
    issued: MemoryIssuedRequests | None = None,
) -> PlanningResult:
    """What on_scan_requested makes of the request."""
    return plan_scan(
        Message(message_id, request),
        ScanGateways(table, MemoryShardQueues(), MemoryEventBus(), clock),
        issued=issued or MemoryIssuedRequests(),
        reports=MemoryReportStore(),
        permissions=permit,
        defaults=ScanDefaults(),
    )


class World:
    """A completed scan with findings and rules, in fakes."""

    def __init__(
        self,
        rules: Iterable[dict[str, Any]] = RULES,
        findings: Iterable[Finding] = FINDINGS,
        scan: Scan | None = None,
        **operator: Any,
    ) -> None:
        self.scan = msgspec.structs.replace(
            scan or a_parent(),
            state=ScanState.PARSE_COMPLETED,
            outcome=Outcome.COMPLETE,
            finished_at=NOW,
            shards_open=0,
        )
        self.table, self.cascades, self.rules = MemoryScanTable(), MemoryCascadeTable(), MemoryRuleTable()
        self.requests, self.bus = MemoryRequestQueue(), Bus()
        self.table.create_scan(self.scan)
        self.table.put_findings(self.scan.scan_id, group_by_host(findings))
        for document in rules:
            self.rules.put_rule(document["metadata"]["name"], document)
        self.follower = CascadeRunner(
            table=self.table,
            cascades=self.cascades,
            rules=self.rules,
            requests=self.requests,
            bus=self.bus,
            permit=PERMIT,
            clock=clock,
            **operator,
        )
        event = build_end_event(self.scan)
        assert isinstance(event, ScanCompleted)
        self.event = event

    def complete(self, times: int = 1) -> None:
        for _ in range(times):
            self.follower.follow_up(self.event)

    def crash_before_write(self, number: int) -> None:
        crash = Crash(number)
        self.cascades.before_write = self.requests.before_write = crash
        self.bus.crash = crash

    def events(self, kind: type[BusEvent]) -> list[Any]:
        """One a happening: a repeat has the same id."""
        return list({event.event_id: event for event in self.bus.events if isinstance(event, kind)}.values())

    def scans_of_requests(self) -> set[str]:
        """What the request queue's messages come to: plan_scan keeps one scan for each idempotency key."""
        table, ids = MemoryScanTable(), set()
        for number, body in enumerate(self.requests.sent):
            planned = planned_in(table, f"message {number}", body, issued=self.cascades.issued)
            assert planned.refused == ""
            ids.add(planned.scan_id)
        assert ids == set(table.scans)
        return ids


def test_children_are_requested_with_where_they_come_from() -> None:
    world = World()
    world.complete()
    (body,) = world.requests.sent
    request = read_request(body, is_issued=True).request
    assert request.targets == ("10.0.0.1", "10.0.0.2")
    assert request.origin is not None
    assert (request.origin.parent_scan, request.origin.root_scan, request.origin.hop) == (SCAN_ID, SCAN_ID, 1)
    assert request.origin.cause_id == world.event.event_id
    (child,) = [child for child in world.cascades.cascade_children(SCAN_ID) if child.scan_id]
    assert child.scan_id == derive_scan_id(request.idempotency_key)


def test_a_child_scan_carries_hop_and_cause() -> None:
    world = World()
    world.complete()
    table = MemoryScanTable()
    planned_in(table, "message", world.requests.sent[0], issued=world.cascades.issued)
    (scan,) = table.scans.values()
    assert (scan.hop, scan.cause_id) == (1, world.event.event_id)


def test_a_child_that_is_refused_after_all_is_found_where_its_parent_says() -> None:
    world = World()
    world.complete()
    table = MemoryScanTable()
    planned = planned_in(table, "message", world.requests.sent[0], Permissions(Scope.of([])), world.cascades.issued)
    assert planned.refused
    (child,) = [child for child in world.cascades.cascade_children(SCAN_ID) if child.scan_id]
    assert (table.scans[child.scan_id].state, table.scans[child.scan_id].hop) == (ScanState.ERRORED, 1)


def test_a_scan_without_cascades_reads_no_rules_and_writes_nothing() -> None:
    world = World(scan=msgspec.structs.replace(a_parent(), request=a_request()))
    world.complete()
    assert (world.requests.sent, world.bus.events, world.cascades.records) == ([], [], {})


def test_another_scanners_child_is_an_event_with_the_whole_request() -> None:
    world = World()
    world.complete()
    events = world.events(CascadeRequested)
    assert [event.scan_type for event in events] == ["nikto", "nikto"]
    manifest = events[0].request
    assert (manifest["kind"], manifest["spec"]["scanType"]) == ("Scan", "nikto")
    assert sorted(event.request["spec"]["parameters"][1] for event in events) == ["10.0.0.1", "10.0.0.2"]


def test_the_same_completion_twice_starts_nothing_twice() -> None:
    world = World()
    world.complete(times=2)
    assert len(world.requests.sent) == 1
    assert len([event for event in world.bus.events if isinstance(event, CascadeRequested)]) == len(
        world.events(CascadeRequested)
    )


@pytest.mark.parametrize("number", range(1, WRITES + 1))
def test_a_crash_at_any_write_is_gone_on_from(number: int) -> None:
    whole, broken = World(), World()
    whole.complete()
    broken.crash_before_write(number)
    try:
        broken.complete()
    except GatewayUnavailable:
        broken.complete()
    assert broken.scans_of_requests() == whole.scans_of_requests()
    assert broken.cascades.stored == whole.cascades.stored
    assert broken.cascades.budgets == whole.cascades.budgets
    assert broken.cascades.records == whole.cascades.records
    for kind in (CascadeRequested, CascadeRefused):
        assert [e.event_id for e in broken.events(kind)] == [e.event_id for e in whole.events(kind)]


def test_there_are_as_many_writes_as_the_crashes_above() -> None:
    world = World()
    world.crash_before_write(0)
    world.complete()
    assert world.bus.crash is not None
    assert world.bus.crash.seen == WRITES


def test_a_rule_that_changes_after_a_crash_does_not_change_what_was_begun() -> None:
    world = World(rules=[rule_document("one")])
    world.crash_before_write(3)
    with pytest.raises(GatewayUnavailable):
        world.complete()
    world.rules.put_rule("one", rule_document("one", parameters=["-p1-1000", "{{$.hostOrIP}}"]))
    world.rules.put_rule("new", rule_document("new"))
    world.complete()
    assert [json.loads(body)["parameters"] for body in world.requests.sent] == [["-Pn", "-p443"]]


def test_a_rule_that_fails_does_so_alone_and_visibly() -> None:
    failing = rule_document("failing", matches={"expression": "finding.attributes.port"})
    world = World(rules=[failing, rule_document("good")])
    world.rules.versions["unreadable"] = [
        msgspec.structs.replace(world.rules.versions["good"][0], name="unreadable", document={"kind": "x"})
    ]
    world.complete()
    assert len(world.requests.sent) == 1
    assert {(event.rule, event.kind) for event in world.events(CascadeRefused) if event.kind == "failed"} == {
        ("failing", "failed"),
        ("unreadable", "failed"),
    }


def test_a_refusal_is_an_event_with_its_reason() -> None:
    world = World(rules=[rule_document("one")])
    world.complete()
    (event,) = world.events(CascadeRefused)
    assert (event.kind, event.reason, event.count) == ("out of scope", "192.0.2.1 is outside AllowedTargets", 1)


def test_a_cap_that_is_reached_is_an_event_and_a_line() -> None:
    world = World(caps=Caps(scans=1))
    world.complete()
    (event, *_) = world.events(CascadeCapped)
    assert (event.cap, event.rule) == ("scans", "two")
    assert "capped" in {line.kind for line in world.cascades.records[SCAN_ID].lines}
    assert world.cascades.budgets[SCAN_ID].scans == 1


def test_children_that_one_cap_keeps_back_are_one_line_and_one_event() -> None:
    wide = rule_document("wide", parameters=["-Pn", "-p1-1000", "{{$.hostOrIP}}"])
    world = World([wide], [a_finding(f"10.0.0.{last}") for last in range(1, 11)], caps=Caps(probes=2_000))
    world.complete()
    assert len(world.requests.sent) == 2
    (line,), (event,) = world.cascades.records[SCAN_ID].lines, world.events(CascadeCapped)
    assert (
        (line.cap, line.count, len(line.findings)) == (event.cap, event.count, len(event.findings)) == ("probes", 8, 8)
    )


def test_what_other_scans_of_the_cascade_spend_meanwhile_is_not_overspent() -> None:
    world = World(rules=[rule_document("one")], caps=Caps(scans=5))
    pure_answer = BudgetUse()
    world.cascades.budgets[SCAN_ID] = BudgetUse(scans=5)
    world.cascades.spent = lambda root: pure_answer  # type: ignore[method-assign, assignment]  # read before the others wrote
    real = MemoryCascadeTable.reserve_child

    def reserve(*args: Any) -> Reservation:
        world.cascades.__dict__.pop("spent", None)
        return real(world.cascades, *args)

    world.cascades.reserve_child = reserve  # type: ignore[method-assign, assignment]
    world.complete()
    assert world.requests.sent == []
    assert world.events(CascadeCapped)[0].cap == "scans"


def test_a_cancelled_root_scan_ends_its_cascade() -> None:
    world = World()
    root = msgspec.structs.replace(world.scan, scan_id="rootrootrootroot", state=ScanState.CANCELLED)
    child = request_of_first(world)
    world.table.create_scan(root)
    scan = msgspec.structs.replace(
        world.scan,
        request=msgspec.structs.replace(
            child, origin=msgspec.structs.replace(child.origin, root_scan=root.scan_id), annotations={}
        ),
    )
    world.table.scans[scan.scan_id] = scan
    world.complete()
    assert world.requests.sent == []
    assert "cancelled" in world.cascades.records[SCAN_ID].lines[0].reason


def request_of_first(world: World) -> Any:
    return build_child_request(the_child(decide(a_rule("one"), FINDINGS[0], world.scan)), world.scan, SCAN_ID, "event")


def test_bundled_rules_follow_where_they_are_on_and_a_stored_one_of_the_name_stands_before() -> None:
    bundled = {"one": rule_document("one"), "two": rule_document("two")}
    stored = rule_document("one", parameters=["-p8", "{{$.hostOrIP}}"])
    world = World(rules=[stored], bundled=lambda: bundled)
    world.complete()
    sent = {
        read_request(body, is_issued=True).request.name: read_request(body, is_issued=True).request.parameters
        for body in world.requests.sent
    }
    assert sent == {"lan-one": ("-p8",), "lan-two": ("-Pn", "-p443")}


def test_only_changed_findings_are_asked_for_where_a_rule_wants_them() -> None:
    world = World(rules=[rule_document("one", onlyNewOrChanged=True)])
    seen = Sighting(scan_id=SCAN_ID, seen_at=NOW, state="open")
    world.table.changes = lambda scan_id, shard, after="": iter(  # type: ignore[method-assign]
        [
            Change(kind=ChangeKind.PORT_OPENED, address="10.0.0.2", protocol="tcp", port=443, after=seen),
            Change(kind=ChangeKind.PORT_CLOSED, address="10.0.0.1", protocol="tcp", port=443, after=seen),
        ]
    )
    world.complete()
    assert [read_request(body, is_issued=True).request.targets for body in world.requests.sent] == [("10.0.0.2",)]
    assert "unchanged" in {line.kind for line in world.cascades.records[SCAN_ID].lines}


def test_an_unknown_scan_is_a_message_that_nobody_here_wrote() -> None:
    world = World()
    with pytest.raises(MalformedMessage):
        replace(world.follower, table=MemoryScanTable()).follow_up(world.event)
