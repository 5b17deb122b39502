"""An expression of a rule: what it can say, what it cannot, and that its work is bounded."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec
import pytest

from cascan.cascades.decision import DecisionKind
from cascan.cascades.expression import (
    ExpressionError,
    NamedFields,
    compile_expression,
    find_named_fields,
    merge_named_fields,
    select_visible,
    to_cel_context,
)
from cascan.limits import MAX_EXPRESSION_CHARS
from tests.support.cascading import a_finding, a_rule, decide, reasons, started
from tests.support.no_hang import no_hang

FINDING: dict[str, Any] = msgspec.to_builtins(
    a_finding(attributes={"service": "https", "serviceVersion": "7.2", "scripts": {"banner": "a" * 30 + "!"}})
)


def build_facts(finding: dict[str, Any], names: NamedFields | None = None) -> Any:
    """The finding as expressions see it."""
    return to_cel_context(select_visible(finding, names))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("finding.attributes.port >= 400 && finding.attributes.port < 500", True),
        ("finding.attributes.port in [80, 8080]", False),
        ('finding.category == "Open Port" && !(finding.severity == "HIGH")', True),
        ('finding.attributes.service.matches("^https?$")', True),
        ('finding.attributes.serviceVersion.matches("^[0-6]\\\\.")', False),
        ('finding.attributes.service == "http" || finding.attributes.service == "https"', True),
        ('finding.attributes.ip_addresses.exists(a, a.startsWith("10."))', True),
        ("has(finding.attributes.hostname)", False),
        ("finding.attributes.nosuch == 1", False),
        ('finding.attributes.port == "443"', False),
    ],
)
def test_ranges_patterns_and_logic(text: str, expected: bool) -> None:
    assert compile_expression(text).holds(build_facts(FINDING)) is expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("finding.port >", "Syntax error"),
        ("attributes.port > 1", "attributes: not known; an expression is about `finding`"),
        ("open('/etc/passwd')", "open: not known"),
        ("finding.parsed_at > now()", "now: not known"),
        ('finding.name.matches("(")', "no regular expression"),
        ("[1].all(a, [1].all(b, [1].all(c, true)))", "3 of all, exists"),
        ("true || " * 200 + "true", f"more than {MAX_EXPRESSION_CHARS}"),
    ],
)
def test_what_is_no_expression_is_refused_when_it_is_compiled(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        compile_expression(text)
    assert reason in str(refused.value)


TRICKY = [
    "finding.attributes.size() > 6",
    "size(finding.attributes) > 6 && finding.attributes.port == 443",
    'finding.attributes.exists(key, key == "reason") || finding.attributes.port == 443',
    'finding["attributes"].port == 443',
    'finding.attributes["port"] == 443',
    "finding . attributes . port == 443",
    'has(finding.attributes) && finding.category == "Open Port"',
    'finding.name.startsWith("Open") && finding.attributes.service.startsWith("http")',
    "[1].exists(finding, finding == 1)",
    'finding.name == "it is \'finding.attributes\' by name" || finding.attributes.state == "open"',
    "finding.attributes.port == 443 // it's finding.attributes.state\n && finding.attributes.state == 'open'",
    r"""finding.name == r'\' || finding.attributes.state == 'open'""",
    "finding.size() > 5",
    "finding == finding && finding.attributes == finding.attributes",
]


@pytest.mark.parametrize("text", TRICKY)
def test_an_expression_sees_all_that_it_is_about_when_a_finding_is_made_in_part(text: str) -> None:
    expression = compile_expression(text)
    assert (
        expression.holds(build_facts(FINDING, find_named_fields(text)))
        is expression.holds(build_facts(FINDING))
        is True
    )


def test_of_an_expression_that_goes_by_dots_alone_its_names_are_known() -> None:
    text = (
        'finding.attributes.port > 80 && has(finding.attributes.scripts.banner) && finding.severity != "finding.name"'
    )
    assert find_named_fields(text) == (frozenset({"severity"}), frozenset({"port", "scripts"}))
    assert merge_named_fields(
        [find_named_fields(text), find_named_fields("finding.name != finding.attributes.port")]
    ) == (
        frozenset({"severity", "name"}),
        frozenset({"port", "scripts"}),
    )
    assert merge_named_fields([find_named_fields(text), find_named_fields('finding["name"] == ""')]) is None


def test_a_regular_expression_that_backtracks_elsewhere_does_not_here() -> None:
    with no_hang():
        assert not compile_expression('finding.attributes.scripts.banner.matches("^(a+)+$")').holds(
            build_facts(FINDING)
        )


def test_the_dearest_expression_over_the_largest_finding_comes_to_an_end() -> None:
    large = FINDING | {"attributes": {"a": ["x" * 100_000] * 10_000}}
    dearest = compile_expression("finding.attributes.a.all(x, finding.attributes.a.all(y, x.size() == y.size()))")
    with no_hang():
        assert dearest.holds(build_facts(large))


def test_any_of_and_the_expression_must_both_hold() -> None:
    rule = a_rule(matches={"anyOf": [{"category": "Open Port"}], "expression": "finding.attributes.port > 1000"})
    (child,) = started(decide(rule, [a_finding(port=443), a_finding(port=8443)]))
    assert child.parameters == ("-Pn", "-p8443")


def test_one_finding_that_an_expression_has_no_answer_for_keeps_it_from_no_other() -> None:
    rule = a_rule(matches={"expression": "int(finding.attributes.serviceVersion) > 6"})
    versions = {"10.0.0.1": "7", "10.0.0.2": "you will not count this", "10.0.0.3": "5", "10.0.0.4": "8"}
    decisions = decide(rule, [a_finding(host, attributes={"serviceVersion": said}) for host, said in versions.items()])
    assert [child.targets for child in started(decisions)] == [("10.0.0.1", "10.0.0.4")]
    assert [(one.count, "invalid digit" in one.reason) for one in decisions if one.kind is DecisionKind.FAILED] == [
        (1, True)
    ]


def test_an_expression_without_an_answer_fails_its_rule_alone() -> None:
    failing = a_rule("failing", matches={"expression": "finding.attributes.port"})
    decisions = decide([failing, a_rule("other")], a_finding())
    assert "gives int, not true or false" in reasons(decisions, DecisionKind.FAILED)[0]
    assert [child.name for child in started(decisions)] == ["lan-other"]


def test_the_library_is_loaded_without_its_command_line() -> None:
    program = """
import sys
from cascan.cascades.expression import to_cel_context, compile_expression
assert compile_expression('finding.a.matches("^x")').holds(to_cel_context({"a": "xy"}))
print(*sorted(name for name in sys.modules if name.partition(".")[0] in sys.argv[1:]))
"""
    names = ("cel", "typer", "rich", "prompt_toolkit", "pygments")
    printed = subprocess.run([sys.executable, "-c", program, *names], capture_output=True, text=True, check=True)
    assert printed.stdout.split() == ["cel.cel"]


@pytest.mark.parametrize("order", [("import cel", "load_cel()"), ("load_cel()", "import cel")])
def test_the_library_and_its_package_are_loaded_side_by_side(order: tuple[str, str]) -> None:
    program = "\n".join(["from cascan.cascades.expression import load_cel", *order])
    program += "\nassert cel.compile is load_cel().compile"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
