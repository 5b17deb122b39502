"""Rows C1 to C8: which rules follow a scan, and which findings they are about."""

from __future__ import annotations

from typing import Any

import pytest

from cascan.cascades.decision import DecisionKind
from cascan.cascades.rule import read_rule
from cascan.cascades.selector import is_selected
from cascan.errors import RequestRefused
from cascan.forms.cascades import read_cascades
from tests.support.builders import a_request, a_scan
from tests.support.cascading import a_finding, a_parent, a_rule, decide, reasons, rule_document, started

LABELS = {"intensive": "light", "invasive": "non-invasive"}


def matched(matcher: dict[str, Any], **finding: Any) -> bool:
    return bool(started(decide(a_rule(matches={"anyOf": [matcher]}), a_finding(**finding))))


def test_c1_without_cascades_no_rule_applies() -> None:
    assert decide(a_rule(), a_finding(), a_scan(request=a_request())) == []
    assert not is_selected(None, LABELS)


def test_c1_an_empty_selector_applies_all_rules() -> None:
    assert len(started(decide([a_rule("one"), a_rule("two", labels=LABELS)], a_finding()))) == 2


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({"matchLabels": {"intensive": "light"}}, True),
        ({"matchLabels": {"intensive": "light", "invasive": "invasive"}}, False),
        ({"matchLabels": LABELS, "matchExpressions": [{"key": "intensive", "operator": "Exists"}]}, True),
        ({"matchLabels": LABELS, "matchExpressions": [{"key": "none", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "none", "operator": "DoesNotExist"}]}, True),
        ({"matchExpressions": [{"key": "intensive", "operator": "DoesNotExist"}]}, False),
        ({"matchExpressions": [{"key": "intensive", "operator": "In", "values": ["light", "medium"]}]}, True),
        ({"matchExpressions": [{"key": "intensive", "operator": "In", "values": ["high"]}]}, False),
        ({"matchExpressions": [{"key": "intensive", "operator": "NotIn", "values": ["high"]}]}, True),
        ({"matchExpressions": [{"key": "intensive", "operator": "NotIn", "values": ["light"]}]}, False),
        ({"matchExpressions": [{"key": "none", "operator": "NotIn", "values": ["light"]}]}, True),
    ],
)
def test_c2_labels_and_expressions_of_the_selector_are_anded(selector: dict[str, Any], expected: bool) -> None:
    assert is_selected(read_cascades(selector), LABELS) is expected


def test_c2_one_expression_may_stand_in_the_singular_as_in_the_manual() -> None:
    expression = {"key": "invasive", "operator": "In", "values": ["non-invasive"]}
    assert read_cascades({"matchExpression": expression}) == read_cascades({"matchExpressions": [expression]})
    with pytest.raises(RequestRefused, match="matchExpression is not a field here"):
        read_cascades({"matchExpression": expression, "matchExpressions": []})


def test_c2_an_unknown_operator_is_an_error_that_names_the_supported_ones() -> None:
    with pytest.raises(RequestRefused, match="'Like' is not known here; In, NotIn, Exists, DoesNotExist are"):
        read_cascades({"matchExpressions": [{"key": "a", "operator": "Like", "values": ["b"]}]})


def test_c3_one_matcher_of_any_of_is_enough_and_several_still_make_one_scan() -> None:
    rule = a_rule(matches={"anyOf": [{"category": "nothing"}, {"category": "Open Port"}, {"name": "Open Port*"}]})
    assert len(started(decide(rule, a_finding()))) == 1


def test_c3_five_findings_for_one_host_make_one_scan_and_four_duplicates() -> None:
    findings = [a_finding(name=f"finding {number}") for number in range(5)]
    decisions = decide(a_rule(), findings)
    assert len(started(decisions)) == 1
    assert [decision.count for decision in decisions if decision.kind is DecisionKind.DUPLICATE] == [4]


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        ({"category": "Open Port"}, True),
        ({"category": "Host"}, False),
        ({"severity": "INFORMATIONAL", "osi_layer": "NETWORK"}, True),
        ({"severity": "HIGH", "osi_layer": "NETWORK"}, False),
        ({"name": "Open Port: 443", "description": "Port 443 is open using tcp protocol."}, True),
        ({"location": "tcp://10.0.0.1:443"}, True),
        ({"attributes": {"port": 443, "state": "open"}}, True),
        ({"attributes": {"port": 443, "state": "closed"}}, False),
        ({"attributes": {"nosuch": "a"}}, False),
    ],
)
def test_c4_every_given_field_is_equal_and_others_are_ignored(matcher: dict[str, Any], expected: bool) -> None:
    assert matched(matcher) is expected


def test_c5_types_are_strict() -> None:
    assert not matched({"attributes": {"port": 443}}, attributes={"port": "443"})
    assert not matched({"attributes": {"port": "443"}})
    assert not matched({"attributes": {"port": 1}}, attributes={"port": True})
    assert not matched({"attributes": {"port": 0}}, attributes={"port": False})
    assert matched({"attributes": {"service": None}}, attributes={"service": None})


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("Open Port*", True),
        ("*443", True),
        ("Open*443", True),
        ("open port*", False),
        ("Open Port", False),
        ("!Host*", True),
        ("!Open*", False),
        ("!Open Port: 443", False),
    ],
)
def test_c6_texts_may_hold_stars_and_a_leading_exclamation_mark(pattern: str, expected: bool) -> None:
    assert matched({"name": pattern}) is expected


def test_c7_stars_apply_where_both_sides_are_text_and_in_nested_attributes_too() -> None:
    assert matched({"attributes": {"service": "http*"}}, attributes={"service": "https"})
    assert matched(
        {"attributes": {"scripts": {"banner": "*ProFTPD*"}}}, attributes={"scripts": {"banner": "220 ProFTPD"}}
    )
    assert not matched({"attributes": {"port": "44*"}})


def test_c8_a_rule_in_the_chain_is_skipped_and_the_chain_grows() -> None:
    parent = a_parent(annotations={"cascading.securecodebox.io/chain": "first,second"})
    decisions = decide([a_rule("second"), a_rule("third")], a_finding(), parent)
    (child,) = started(decisions)
    assert child.annotations["cascading.securecodebox.io/chain"] == "first,second,third"
    assert [decision.rule for decision in decisions if decision.kind is DecisionKind.LOOP] == ["second"]


def test_c8_depth_ends_a_chain_of_ever_other_rules() -> None:
    decisions = decide(a_rule(), a_finding(), a_parent(hop=8))
    assert [(decision.kind, decision.cap) for decision in decisions] == [(DecisionKind.CAPPED, "depth")]
    assert reasons(decisions, DecisionKind.CAPPED) == ["scans follow each other at most 8 times"]


def test_a_finding_that_an_operator_suppressed_is_not_followed() -> None:
    assert decide(a_rule(), a_finding(attributes={"suppressed": "a printer"})) == []


def test_a_rule_without_matchers_says_so() -> None:
    with pytest.raises(RequestRefused, match="neither anyOf nor an expression"):
        a_rule(matches={"anyOf": []})
    with pytest.raises(RequestRefused, match=r"spec\.matches\.anyOf\[0\]: empty"):
        a_rule(matches={"anyOf": [{}]})


def test_every_problem_of_a_rule_is_told_at_once() -> None:
    document = rule_document(
        "Bad Name",
        matches={"anyOf": [{"catgory": "x"}], "expression": "finding.port >"},
        parameters=["{{#a}}"],
        scanAnnotations={"scope.cascading.securecodebox.io/domain": "x"},
    )
    with pytest.raises(RequestRefused) as refused:
        read_rule(document)
    paths = [refusal.what for refusal in refused.value.refusals]
    assert paths == [
        "metadata.name",
        "spec.matches.anyOf[0].catgory",
        "spec.matches.expression",
        "spec.scanSpec.parameters[0]",
        "spec.scanAnnotations",
    ]
