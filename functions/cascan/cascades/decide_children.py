"""A scan, its findings and the rules → what is started, and why the rest is not. Pure, and the same for the same input.

A rule fails alone: what goes wrong with it is a decision of its own, and nothing of it is started. Where its expression
has no answer for a finding, it is that finding that is passed over, and told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec

from cascan.cascades.context import CascadeContext, FindingView, ParentScan
from cascan.cascades.decision import Decision, DecisionKind
from cascan.cascades.evaluation import Evaluation
from cascan.cascades.expression import NamedFields, find_named_fields, merge_named_fields, select_visible
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

FINDINGS_AT_ONCE = 64  # whose expressions are evaluated in one go
SUPPRESSED = "suppressed"  # the attribute of a finding that an operator does not want to hear of


def decide_children(
    scan: Scan, rules: Iterable[CascadingRule], findings: Iterable[Finding | dict[str, Any]], context: CascadeContext
) -> Iterator[Decision]:
    """Decisions, rule by rule in the order given. The findings, ours or JSON with an id, are read once, one at a time.

    Raises: RequestRefused: the scan's cascades cannot be read, which a request's check has seen to.
    """
    if scan.request is None or scan.request.cascades is None:
        return
    cascades = read_cascades(scan.request.cascades)
    parent = ParentScan(scan, scan.request, cascades, context)
    chosen = [rule for rule in rules if is_selected(cascades, rule.labels)]
    runs: list[RuleApplication | Decision] = [_begin(rule, parent) for rule in chosen]
    active = [run for run in runs if isinstance(run, RuleApplication)]
    if active:
        _follow(active, (FindingView(_as_json(finding), parent) for finding in findings))
    yield from _within_caps((decision for run in runs for decision in _decisions(run)), context)


def _as_json(finding: Finding | dict[str, Any]) -> dict[str, Any]:
    return finding if isinstance(finding, dict) else to_json(finding)


def _follow(runs: list[RuleApplication], abouts: Iterable[FindingView]) -> None:
    """Have each rule look at each finding that is not suppressed."""
    plain = [run for run in runs if not run.rule.matches.expression]
    asking = [run for run in runs if run.rule.matches.expression]
    wanted = (about for about in abouts if SUPPRESSED not in about.finding["attributes"])
    with Evaluation([run.rule.matches.expression for run in asking]) as evaluation:
        names = merge_named_fields(find_named_fields(text) for text in evaluation.texts)
        while block := list(islice(wanted, FINDINGS_AT_ONCE)):
            for about in block:
                for run in plain:
                    run.take(about)
            if asking:
                _ask(asking, block, evaluation, names)
        for number, reason in evaluation.failures.items():
            asking[number].failure = reason


def _ask(
    runs: list[RuleApplication], block: list[FindingView], evaluation: Evaluation, names: NamedFields | None
) -> None:
    """Have the rules with an expression look at these findings."""
    pairs = [
        (place, number)
        for place, about in enumerate(block)
        for number, run in enumerate(runs)
        if not run.failure and run.fits(about.finding)
    ]
    places = {place for place, _ in pairs}
    seen = [select_visible(about.with_scan, names) if place in places else {} for place, about in enumerate(block)]
    for (place, number), answer in evaluation.answers(seen, pairs).items():
        runs[number].take_answer(block[place], answer)


def _begin(rule: CascadingRule, parent: ParentScan) -> RuleApplication | Decision:
    """The rule, ready for findings; or why it has none to look at."""
    if rule.name in read_chain(parent.request.annotations):
        return Decision(kind=DecisionKind.LOOP, rule=rule.name, reason="it was applied in this chain of scans already")
    depth = parent.context.caps.depth
    if parent.scan.hop >= depth:
        reason = f"scans follow each other at most {depth} times"
        return Decision(kind=DecisionKind.CAPPED, rule=rule.name, reason=reason, cap=Cap.DEPTH)
    try:
        return RuleApplication(rule, parent)
    except (CascanError, ValueError) as exc:
        return Decision(kind=DecisionKind.FAILED, rule=rule.name, reason=str(exc))


def _decisions(run: RuleApplication | Decision) -> Iterator[Decision]:
    if isinstance(run, Decision):
        yield run
    else:
        yield from run.decisions()


def _within_caps(decisions: Iterable[Decision], context: CascadeContext) -> Iterator[Decision]:
    """The decisions, those capped that lead beyond fan-out or the root scan's budget."""
    started, spent = 0, context.spent
    for decision in decisions:
        if decision.child is None:
            yield decision
            continue
        after = spent + decision.child.weight
        reached = context.caps.reached(after)
        if started >= context.caps.fan_out:
            reached = Cap.FAN_OUT, f"one scan has at most {context.caps.fan_out} children"
        if reached:
            cap, reason = reached
            yield msgspec.structs.replace(decision, kind=DecisionKind.CAPPED, reason=reason, cap=cap, child=None)
        else:
            started, spent = started + 1, after
            yield decision
