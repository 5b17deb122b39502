"""A scan, its findings and the rules → which scans are started, and why others are not.

Pure: same input, same output.

A rule fails alone: its failure is a decision of its own, and nothing of that rule is started. Where
the expression of a rule has no answer for a finding, only that finding is skipped, with a decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec

from cascan.cascades.context import CascadeContext, FindingView, ParentScan
from cascan.cascades.decision import Decision, DecisionKind
from cascan.cascades.evaluation import Evaluation
from cascan.cascades.expression import (
    NamedFields,
    find_named_fields,
    merge_named_fields,
    select_visible,
)
from cascan.cascades.inheritance import read_chain
from cascan.cascades.rule import CascadingRule
from cascan.cascades.rule_application import RuleApplication
from cascan.cascades.selector import is_selected
from cascan.errors import CascanError
from cascan.findings.to_json import to_json
from cascan.forms.cascades import read_cascades
from cascan.model.cascade import Cap
from cascan.model.finding import Finding
from cascan.model.scan import Scan

FINDINGS_AT_ONCE = 64  # whose expressions are evaluated in one batch


def decide_children(
    scan: Scan,
    rules: Iterable[CascadingRule],
    findings: Iterable[Finding | dict[str, Any]],
    context: CascadeContext,
) -> Iterator[Decision]:
    """Decisions, rule by rule in the order of `rules`.

    The findings, as values or as JSON with an id, are read once, one at a time.

    Raises: RequestRefused: the scan's cascades cannot be read, which the check of its request
        excludes.
    """
    if scan.request is None or scan.request.cascades is None:
        return
    cascades = read_cascades(scan.request.cascades)
    parent = ParentScan(scan, scan.request, cascades, context)
    selected = [rule for rule in rules if is_selected(cascades, rule.labels)]
    applied = [_begin(rule, parent) for rule in selected]
    applications = [entry for entry in applied if isinstance(entry, RuleApplication)]
    if applications:
        views = (FindingView(_to_json(finding), parent) for finding in findings)
        _apply_to_findings(applications, views)
    decisions = (decision for entry in applied for decision in _read_decisions(entry))
    yield from _cap_decisions(decisions, context)


def _to_json(finding: Finding | dict[str, Any]) -> dict[str, Any]:
    return finding if isinstance(finding, dict) else to_json(finding)


def _apply_to_findings(
    applications: list[RuleApplication],
    findings: Iterable[FindingView],
) -> None:
    """Apply each rule to each finding that is not suppressed."""
    by_matcher = [entry for entry in applications if not entry.rule.matches.expression]
    by_expression = [entry for entry in applications if entry.rule.matches.expression]
    findings = (finding for finding in findings if not finding.is_suppressed)
    expressions = [application.rule.matches.expression for application in by_expression]
    with Evaluation(expressions) as evaluation:
        names = merge_named_fields(find_named_fields(text) for text in evaluation.texts)
        while batch := list(islice(findings, FINDINGS_AT_ONCE)):
            _apply_matchers(by_matcher, batch)
            if by_expression:
                _apply_expressions(by_expression, batch, evaluation, names)
        for number, reason in evaluation.failures.items():
            by_expression[number].failure = reason


def _apply_matchers(applications: list[RuleApplication], batch: list[FindingView]) -> None:
    """Apply the rules without an expression."""
    for finding in batch:
        for application in applications:
            application.apply(finding)


def _apply_expressions(
    applications: list[RuleApplication],
    batch: list[FindingView],
    evaluation: Evaluation,
    names: NamedFields | None,
) -> None:
    """Apply the rules with an expression. `names`: the fields that the expressions read."""
    pairs = [
        (position, number)
        for position, finding in enumerate(batch)
        for number, application in enumerate(applications)
        if not application.failure and application.matches(finding.json)
    ]
    matched = {position for position, _ in pairs}
    visible = [
        select_visible(finding.with_scan, names) if position in matched else {}
        for position, finding in enumerate(batch)
    ]
    for (position, number), answer in evaluation.evaluate(visible, pairs).items():
        applications[number].apply_answer(batch[position], answer)


def _begin(rule: CascadingRule, parent: ParentScan) -> RuleApplication | Decision:
    """The rule, ready for findings; or the decision why it is not applied."""
    if rule.name in read_chain(parent.request.annotations):
        return Decision(
            kind=DecisionKind.LOOP,
            rule=rule.name,
            reason="it was applied in this chain of scans already",
        )
    max_depth = parent.context.caps.depth
    if parent.scan.hop >= max_depth:
        reason = f"scans follow each other at most {max_depth} times"
        return Decision(kind=DecisionKind.CAPPED, rule=rule.name, reason=reason, cap=Cap.DEPTH)
    try:
        return RuleApplication(rule, parent)
    except (CascanError, ValueError) as exc:
        return Decision(kind=DecisionKind.FAILED, rule=rule.name, reason=str(exc))


def _read_decisions(entry: RuleApplication | Decision) -> Iterator[Decision]:
    if isinstance(entry, Decision):
        yield entry
    else:
        yield from entry.decisions()


def _cap_decisions(decisions: Iterable[Decision], context: CascadeContext) -> Iterator[Decision]:
    """The decisions; those that exceed the fan-out or the root scan's budget are capped."""
    started, spent = 0, context.spent
    for decision in decisions:
        if decision.child is None:
            yield decision
            continue
        spent_with_child = spent + decision.child.weight
        exceeded = context.caps.find_exceeded(spent_with_child)
        if started >= context.caps.fan_out:
            exceeded = Cap.FAN_OUT, f"one scan has at most {context.caps.fan_out} children"
        if exceeded:
            cap, reason = exceeded
            yield msgspec.structs.replace(
                decision,
                kind=DecisionKind.CAPPED,
                reason=reason,
                cap=cap,
                child=None,
            )
        else:
            started, spent = started + 1, spent_with_child
            yield decision
