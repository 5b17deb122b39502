"""Whatever a rule, a request or a finding says, the work for one finding has an end; what has too much is told."""

from __future__ import annotations

from typing import Any

import pytest

from cascan.cascades import rule_application, scan_proposal
from cascan.cascades.decision import DecisionKind
from cascan.cascades.rule import read_rule
from cascan.errors import RequestRefused
from cascan.forms.cascades import read_cascades
from cascan.limits import (
    MAX_PATTERN_CHARS,
    MAX_PATTERN_ENTRIES,
    MAX_RENDERED_VALUES,
    MAX_REQUIREMENT_VALUES,
    MAX_REQUIREMENTS,
    MAX_TEMPLATE_PATH,
)
from cascan.rules.severity_form import read_severity_rules
from cascan.schedules.form import parse_interval
from cascan.templates.render import TemplateError, compile_template, compile_values, render, render_values
from cascan.timing.windows import Window
from tests.support.cascading import a_finding, a_rule, decide, reasons, rule_document, started
from tests.support.no_hang import no_hang

LONG_LIST = {"a": list(range(30_000))}
KEY = "scope.cascading.securecodebox.io/x"


@pytest.mark.parametrize(
    "text",
    [
        "{{#a}}{{#a}}{{#a}}{{/a}}{{/a}}{{/a}}",  # nothing is printed, and the lists are walked
        "{{#a}}{{#a}}x{{/a}}{{/a}}",
        "{{#a}}{{^b}}{{#a}}{{/a}}{{/b}}{{/a}}",
        "{{#a}}{{a}}{{/a}}",
    ],
)
def test_sections_over_long_lists_come_to_an_end(text: str) -> None:
    with no_hang(5), pytest.raises(TemplateError, match=r"more than \d+ (steps|characters)"):
        render(compile_template(text), LONG_LIST)


def test_a_name_in_a_tag_has_a_number_of_parts() -> None:
    long = "a" + ".b" * MAX_TEMPLATE_PATH
    for text in (f"{{{{{long}}}}}", f"{{{{#{long}}}}}{{{{/{long}}}}}"):
        with pytest.raises(TemplateError, match="parts"):
            compile_template(text)


@pytest.mark.parametrize("text", ["{{#asList}}a.b{{/asList}}", "{{#getValues}}a.c.d{{/getValues}}"])
def test_a_list_in_a_scope_limiter_has_a_length(text: str) -> None:
    many = MAX_RENDERED_VALUES + 1
    data: dict[str, Any] = {"a": {"b": ["x"] * many, "c": [{"d": "x"}] * many}}
    with pytest.raises(TemplateError, match=f"{MAX_RENDERED_VALUES} values"):
        render_values(compile_values(text), data, {})


def test_the_templates_of_a_rule_have_a_limit_over_all_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_proposal, "MAX_RULE_RENDER_STEPS", 10)
    findings = [a_finding(f"10.0.0.{number}") for number in range(9)]
    decisions = decide([a_rule("dear"), a_rule("other", parameters=["127.0.0.1"])], findings)
    assert reasons(decisions, DecisionKind.FAILED) == ["its templates took more than 10 steps over these findings"]
    assert [child.key.partition("/")[0] for child in started(decisions)] == ["other"]


def test_what_a_rule_renders_to_for_one_finding_has_a_size() -> None:
    rule = a_rule(scanType="zap", parameters=["{{attributes.text}}"] * 9)
    decisions = decide(rule, a_finding(attributes={"text": "x" * 10_000}))
    assert "together more than 65536 characters" in reasons(decisions, DecisionKind.REFUSED)[0]


def test_different_scans_that_a_rule_asks_other_scanners_for_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_application, "MAX_PROPOSALS", 2)
    rule = a_rule(scanType="zap", parameters=["{{attributes.port}}"])
    decisions = decide(rule, [a_finding(port=port) for port in range(1, 5)])
    assert sum(decision.kind is DecisionKind.REQUEST for decision in decisions) == 2
    assert [one.count for one in decisions if "more than 2 different scans" in one.reason] == [2]


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ({"attributes": {"a": ["x"] * (MAX_PATTERN_ENTRIES + 1)}}, "entries; write several of anyOf"),
        ({"attributes": {"a": [[["x"] * 400] * 2] * 2}}, "entries; write several of anyOf"),
        ({"name": "*" * (MAX_PATTERN_CHARS + 1)}, f"is longer than {MAX_PATTERN_CHARS}"),
    ],
)
def test_a_matcher_has_a_size_in_rules_of_both_kinds(pattern: dict[str, Any], says: str) -> None:
    with pytest.raises(RequestRefused) as of_rule:
        read_rule(rule_document(matches={"anyOf": [pattern]}))
    with pytest.raises(RequestRefused) as of_severity:
        read_severity_rules(str({"rules": [{"matches": {"anyOf": [pattern]}, "suppress": "x"}]}).replace("'", '"'))
    for refused in (of_rule, of_severity):
        assert any("matches.anyOf[0]: " in reason and says in reason for reason in refused.value.reasons)


@pytest.mark.parametrize("name", ["allOf", "anyOf", "noneOf", "matchExpressions"])
def test_requirements_and_their_values_are_counted(name: str) -> None:
    one = {"key": KEY, "operator": "In", "values": ["x"]}
    much = one | {"values": ["x"] * (MAX_REQUIREMENT_VALUES + 1)}
    for entries, says in (
        ([one] * (MAX_REQUIREMENTS + 1), f"{name}: {MAX_REQUIREMENTS + 1} entries"),
        ([much], f"{name}[0].values: {MAX_REQUIREMENT_VALUES + 1} entries"),
    ):
        fields = {name: entries} if name == "matchExpressions" else {"scopeLimiter": {name: entries}}
        with pytest.raises(RequestRefused) as refused:
            read_cascades(fields)
        assert any(says in reason for reason in refused.value.reasons)


def test_long_times_are_refused_before_they_are_read() -> None:
    with no_hang(5):
        for read in (parse_interval, Window.parse):
            with pytest.raises(ValueError, match="is not a "):
                read("1" * 1_000_000)
