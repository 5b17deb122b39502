"""Joined children, caps, loops: what keeps a cascade from becoming a flood."""

from __future__ import annotations

from ipaddress import ip_address

from cascan.cascades.caps import Caps
from cascan.cascades.child_documents import build_child_request
from cascan.cascades.context import NewPlaces
from cascan.cascades.decision import DecisionKind
from cascan.model.cascade import BudgetUse
from cascan.planning.plan import plan
from tests.support.builders import SCAN_ID
from tests.support.cascading import PERMIT, a_finding, a_parent, a_rule, decide, reasons, started, the_child


def address(number: int) -> str:
    return str(ip_address("10.0.0.0") + number)


def test_targets_with_the_same_ports_are_one_request() -> None:
    findings = [a_finding(address(n), port) for n in (1, 2, 3) for port in (443, 8443)]
    child = the_child(decide(a_rule(), findings))
    assert child.parameters == ("-Pn", "-p443,8443")
    assert child.targets == (address(1), address(2), address(3))
    assert child.annotations["cascan/matched-findings"] == "6"


def test_nothing_is_asked_for_that_no_finding_asked_for() -> None:
    findings = [a_finding(address(1), 80), a_finding(address(2), 443), a_finding(address(2), 80)]
    asked = {
        (target, port)
        for child in started(decide(a_rule(), findings))
        for target in child.targets
        for port in child.parameters[1].removeprefix("-p").split(",")
    }
    assert asked == {(address(1), "80"), (address(2), "443"), (address(2), "80")}


def test_many_different_lists_of_few_ports_are_joined_port_by_port() -> None:
    ports = (80, 443, 8080, 8443)
    findings = [a_finding(address(n), port) for n in range(1, 16) for bit, port in enumerate(ports) if n >> bit & 1]
    children = started(decide(a_rule(), findings))
    assert sorted(child.parameters[1] for child in children) == ["-p443", "-p80", "-p8080", "-p8443"]


def test_one_host_with_ten_thousand_ports_is_one_request() -> None:
    child = the_child(decide(a_rule(), [a_finding(port=port) for port in range(1, 10_001)]))
    assert child.targets == ("10.0.0.1",)
    assert child.weight.probes == 10_000


def test_ten_thousand_matching_findings_make_ten_requests_of_few_shards() -> None:
    findings = [a_finding(address(n)) for n in range(1, 10_001)]
    parent = a_parent()
    children = started(decide(a_rule(), findings, parent))
    assert len(children) == 10
    assert sum(len(child.targets) for child in children) == 10_000
    planned = [plan(build_child_request(child, parent, SCAN_ID, "event"), PERMIT) for child in children]
    assert sum(len(one.slices) for one in planned) <= 40


def test_children_that_differ_in_more_than_target_and_port_stay_apart() -> None:
    rule = a_rule(scanLabels={"port": "{{attributes.port}}"})
    children = started(decide(rule, [a_finding(port=80), a_finding(port=443)]))
    assert sorted(child.labels["port"] for child in children) == ["443", "80"]


def test_ipv6_targets_get_a_request_of_their_own_with_6() -> None:
    children = started(decide(a_rule(), [a_finding("10.0.0.1"), a_finding("2001:db8::1")]))
    assert sorted((child.targets, "-6" in child.parameters) for child in children) == [
        (("10.0.0.1",), False),
        (("2001:db8::1",), True),
    ]


def test_the_same_findings_in_any_order_make_the_same_children() -> None:
    findings = [a_finding(address(n), port) for n in range(1, 9) for port in (80, 443)]
    keys = [child.key for child in started(decide(a_rule(), findings))]
    assert keys == [child.key for child in started(decide(a_rule(), findings[::-1]))]


def test_fan_out_is_capped_and_said() -> None:
    rule = a_rule(scanType="nikto", parameters=["-h", "{{$.hostOrIP}}"])
    decisions = decide(rule, [a_finding(address(n)) for n in range(5)], caps=Caps(fan_out=3))
    assert [decision.kind for decision in decisions] == [DecisionKind.REQUEST] * 3 + [DecisionKind.CAPPED] * 2
    assert {decision.cap for decision in decisions} == {"", "fan-out"}
    assert reasons(decisions, DecisionKind.CAPPED)[0] == "one scan has at most 3 children"


def test_the_budget_of_the_root_scan_is_capped_by_scans_probes_and_cost() -> None:
    findings = [a_finding("10.0.0.1", 80), a_finding("10.0.0.2", 443)]
    for caps, spent, cap in (
        (Caps(scans=10), BudgetUse(scans=9), "scans"),
        (Caps(probes=100), BudgetUse(probes=99), "probes"),
        (Caps(cost_micro_usd=50), BudgetUse(), "cost"),
    ):
        decisions = decide(a_rule(), findings, caps=caps, spent=spent)
        assert [decision.cap for decision in decisions] == ["", cap]
        assert len(started(decisions)) == 1


def test_of_many_hosts_beyond_the_budget_those_start_that_fit() -> None:
    rule = a_rule(parameters=["-Pn", "-p1-1000", "{{$.hostOrIP}}"])
    findings = [a_finding(f"10.0.0.{number}") for number in range(100)]
    decisions = decide(rule, findings, caps=Caps(probes=50_000))
    assert [len(child.targets) for child in started(decisions)] == [5] * 10
    capped = [decision for decision in decisions if decision.kind is DecisionKind.CAPPED]
    assert {(one.cap, one.reason) for one in capped} == {
        ("probes", "the cascade of one root scan has at most 50,000 probes")
    }
    assert sum(decision.count for decision in decisions) == 100
    hosts = [target for child in started(decisions) for target in child.targets]
    assert len(set(hosts)) == len(hosts) == 50
    assert len({child.key for child in started(decisions)}) == 10


def test_a_rule_that_matches_its_own_output_runs_once_in_a_chain() -> None:
    rule, parent = a_rule("loop"), a_parent()
    child = the_child(decide(rule, a_finding(), parent))
    grandparent = build_child_request(child, parent, SCAN_ID, "event")
    again = decide(rule, a_finding(), a_parent(hop=1, annotations=grandparent.annotations))
    assert [decision.kind for decision in again] == [DecisionKind.LOOP]


def test_two_rules_that_ask_for_each_other_end() -> None:
    rules, parent, depth = [a_rule("ping"), a_rule("pong")], a_parent(), 0
    level = [parent]
    while level:
        depth += 1
        assert depth < 5
        level = [
            a_parent(hop=scan.hop + 1, annotations=child.annotations)
            for scan in level
            for child in started(decide(rules, a_finding(), scan))
        ]
    assert depth == 3


def test_what_another_scan_of_the_cascade_asked_for_is_a_duplicate() -> None:
    findings = [a_finding("10.0.0.1", 80), a_finding("10.0.0.2", 443)]
    rules = [a_rule("ours"), a_rule("theirs", scanType="nikto", parameters=["-h", "{{$.hostOrIP}}"])]
    before = tuple(d.child.asked for d in decide(rules, findings[:1]) if d.child and d.child.asked)
    decisions = decide(rules, findings, requested=before)
    assert [(d.kind, d.rule, d.count) for d in decisions] == [
        (DecisionKind.START, "ours", 1),
        (DecisionKind.DUPLICATE, "ours", 1),
        (DecisionKind.REQUEST, "theirs", 1),
        (DecisionKind.DUPLICATE, "theirs", 1),
    ]
    assert started(decisions)[0].targets == ("10.0.0.2",)


def test_another_port_of_a_target_that_was_asked_is_asked_alone() -> None:
    first = the_child(decide(a_rule(), a_finding("10.0.0.1", 80)))
    assert first.asked is not None
    findings = [a_finding("10.0.0.1", port) for port in (80, 443)]
    child = the_child(decide(a_rule(), findings, requested=(first.asked,)))
    assert child.parameters == ("-Pn", "-p443")


def test_only_new_or_changed_findings_are_followed_where_the_rule_says_so() -> None:
    new, old = a_finding("10.0.0.1"), a_finding("10.0.0.2")
    careful, eager = a_rule("careful", onlyNewOrChanged=True), a_rule("eager")
    decisions = decide([careful, eager], [new, old], new_places=NewPlaces(frozenset({("10.0.0.1", "tcp", 443)})))
    assert [(child.name, child.targets) for child in started(decisions)] == [
        ("lan-careful", ("10.0.0.1",)),
        ("lan-eager", ("10.0.0.1", "10.0.0.2")),
    ]
    assert [(d.rule, d.count) for d in decisions if d.kind is DecisionKind.UNCHANGED] == [("careful", 1)]


def test_a_request_that_planning_refuses_is_told_with_its_reason() -> None:
    rule = a_rule(parameters=["-sS", "{{$.hostOrIP}}"])
    assert "-sS needs scanType nmap-privileged" in reasons(decide(rule, a_finding()), DecisionKind.REFUSED)[0]


def test_ten_thousand_refusals_are_told_in_a_few_lines() -> None:
    decisions = decide(a_rule(), [a_finding(f"192.0.{n // 250}.{n % 250 + 1}") for n in range(10_000)])
    assert len(decisions) <= 201
    assert sum(decision.count for decision in decisions) == 10_000
