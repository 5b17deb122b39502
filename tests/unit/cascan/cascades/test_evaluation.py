"""Expressions are bounded while they are evaluated: one that goes beyond its limits fails its rule, and no other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cascan.cascades import evaluation
from cascan.cascades.decision import Decision, DecisionKind
from cascan.cascades.rule import CascadingRule, read_rule
from cascan.errors import GatewayUnavailable
from cascan.forms.documents import read_documents
from tests.support.cascading import a_finding, a_rule, decide, started

ROOT = Path(__file__).parents[4]
FILES = ROOT / "tests" / "data" / "securecodebox"
LONG = "x" * 4_096
LARGE = a_finding("10.0.0.9", name=LONG, attributes={"a": [LONG] * 128})
PLAIN = a_rule("plain", matches={"expression": "finding.attributes.port == 443"})
LIMITS = (  # which of them is reached first is the machine's affair
    "its expression took more than 1 s for one finding",
    "its expression needs more than 128 MB for one finding",
)
PEAK_KB = 400 * 1024  # of the process; without the limit, cel-memory takes ten times as much


def rule_in(name: str) -> CascadingRule:
    (document,) = read_documents((FILES / f"{name}.yaml").read_text())
    return read_rule(document)


def by_expression(expression: str, name: str = "dear") -> CascadingRule:
    return a_rule(name, matches={"expression": expression})


def failures(decisions: list[Decision]) -> dict[str, str]:
    return {one.rule: one.reason for one in decisions if one.kind is DecisionKind.FAILED}


@pytest.mark.parametrize(
    "rule",
    [
        rule_in("cel-memory"),
        rule_in("cel-slow-map"),
        by_expression("finding.attributes.a.map(x, finding.attributes.a.map(y, x + y)).size() > 0"),
        by_expression("finding.attributes.a.all(x, finding.attributes.a.all(y, !x.matches('(a|x){0,99}y')))"),
        by_expression("finding.attributes.a.all(x, finding.attributes.a.all(y, x.matches(y)))"),
    ],
    ids=["texts", "lists", "lists in lists", "a pattern many times", "patterns out of texts"],
)
def test_a4_an_evaluation_has_a_limit_and_the_other_rules_go_on(rule: CascadingRule) -> None:
    decisions = decide([rule, PLAIN], [LARGE, a_finding()])
    assert failures(decisions)[rule.name] in LIMITS
    assert [child.targets for child in started(decisions)] == [("10.0.0.1", "10.0.0.9")]


def test_a4_the_memory_of_an_evaluation_is_bounded() -> None:
    """In a process of its own: the peak of a child counts what its parent had, and this process may be large."""
    measured = """
import resource
from tests.unit.cascan.cascades.test_evaluation import LARGE, decide, rule_in
decide([rule_in("cel-memory")], [LARGE])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}"}
    ran = subprocess.run(
        [sys.executable, "-c", measured], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) < PEAK_KB


def test_a4_a_pattern_that_is_the_finding_itself_ends_within_the_limit() -> None:
    rule = rule_in("cel-slow-matches")
    hostile = a_finding(name="(x{0,99}){0,99}" * 250)
    decisions = decide([rule, PLAIN], [hostile, a_finding()])
    assert failures(decisions).keys() <= {rule.name}
    assert "plain" in {child.key.partition("/")[0] for child in started(decisions)}


def test_a4_a_rule_that_takes_a_little_of_every_finding_fails_when_it_took_too_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluation, "MAX_RULE_SECONDS", -1.0)
    decisions = decide([PLAIN, a_rule("other")], a_finding())
    assert failures(decisions) == {"plain": "its expression took more than -1 s over these findings"}
    assert [child.key.partition("/")[0] for child in started(decisions)] == ["other"]


def test_a4_processes_that_expressions_may_end_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "MAX_EVALUATORS_LOST", 2)  # the batch, and the first of it alone
    endless = by_expression("finding.attributes.a.map(x, finding.attributes.a.map(y, x + y)).size() > 0")
    decisions = decide([endless, PLAIN, a_rule("other")], LARGE)
    told = failures(decisions)
    assert told["dear"] in LIMITS
    assert told["plain"] == "expressions of this scan's rules went beyond their limits 2 times"
    assert [child.key.partition("/")[0] for child in started(decisions)] == ["other"]


def test_a_process_that_cannot_start_is_not_the_rules_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "COMMAND", ("/nonexistent/python",))
    with pytest.raises(GatewayUnavailable):
        decide(PLAIN, a_finding())
    monkeypatch.setattr(evaluation, "COMMAND", ("/bin/false",))
    with pytest.raises(GatewayUnavailable):
        decide(PLAIN, a_finding())


def test_the_process_sees_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setattr(evaluation, "COMMAND", ("/bin/sh", "-c", f"env > {tmp_path}/env; exit 7"))
    with pytest.raises(GatewayUnavailable, match="exit code 7"):
        decide(PLAIN, a_finding())
    assert "secret" not in (tmp_path / "env").read_text()


def test_no_process_is_started_where_no_expression_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "COMMAND", ("/nonexistent/python",))
    unasked = a_rule("unasked", matches={"anyOf": [{"category": "Host"}], "expression": "true"})
    assert len(started(decide([unasked, a_rule("other")], a_finding()))) == 1
