"""Decisions that led to no child → lines for `cascan tree` and the bus: one for each rule and reason."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from cascan.cascades.decision import Decision
from cascan.limits import MAX_FINDINGS_LISTED
from cascan.model.cascade import CascadeLine


def build_cascade_lines(decisions: Iterable[Decision]) -> list[CascadeLine]:
    """In the order of the first decision of each; findings are added up."""
    lines: dict[tuple[str, ...], CascadeLine] = {}
    for decision in decisions:
        if decision.child is None:
            which = (decision.kind, decision.rule, decision.cap, decision.reason)
            lines[which] = _with(lines[which], decision) if which in lines else _line(decision)
    return list(lines.values())


def _line(decision: Decision) -> CascadeLine:
    return CascadeLine(
        kind=decision.kind,
        rule=decision.rule,
        reason=decision.reason,
        count=decision.count,
        cap=decision.cap,
        findings=decision.findings,
    )


def _with(line: CascadeLine, decision: Decision) -> CascadeLine:
    findings = tuple(dict.fromkeys((*line.findings, *decision.findings)))
    return replace(line, count=line.count + decision.count, findings=findings[:MAX_FINDINGS_LISTED])
