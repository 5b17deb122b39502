"""Decisions → what the table keeps of them: a stored child for each scan to request, a line for
each reason not to.

`cascan tree` shows the lines, and the bus announces them.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from cascan.cascades.child_documents import build_child_manifest, build_child_request
from cascan.cascades.decision import Child, Decision, DecisionKind
from cascan.ids import derive_scan_id
from cascan.limits import MAX_FINDINGS_LISTED
from cascan.model.cascade import CascadeLine, StoredChild
from cascan.model.scan import Scan


def build_stored_child(decision: Decision, child: Child, scan: Scan, root: str, cause_id: str) -> StoredChild:
    """The child with the whole text to send: its request, or the manifest for another scanner.

    `root`: the id of the root scan. `cause_id`: of the event that the scan was completed.
    """
    if decision.kind is DecisionKind.START:
        request = build_child_request(child, scan, root, cause_id)
        scan_id, body = derive_scan_id(request.idempotency_key), msgspec.json.encode(request)
    else:
        scan_id, body = "", msgspec.json.encode(build_child_manifest(child, scan))
    return StoredChild(
        key=child.key,
        rule=decision.rule,
        scan_id=scan_id,
        name=child.name,
        scan_type=child.scan_type,
        parameters=child.parameters,
        targets=len(child.targets),
        count=decision.count,
        findings=decision.findings,
        weight=child.weight,
        asked=child.asked,
        body=body.decode(),
    )


def build_cascade_lines(decisions: Iterable[Decision]) -> list[CascadeLine]:
    """One line for each rule and reason, in the order of their first decisions.

    Their findings are added up.
    """
    lines: dict[tuple[str, ...], CascadeLine] = {}
    for decision in decisions:
        if decision.child is None:
            key = (decision.kind, decision.rule, decision.cap, decision.reason)
            lines[key] = _add_to_line(lines[key], decision) if key in lines else _build_line(decision)
    return list(lines.values())


def _build_line(decision: Decision) -> CascadeLine:
    return CascadeLine(
        kind=decision.kind,
        rule=decision.rule,
        reason=decision.reason,
        count=decision.count,
        cap=decision.cap,
        findings=decision.findings,
    )


def _add_to_line(line: CascadeLine, decision: Decision) -> CascadeLine:
    findings = tuple(dict.fromkeys((*line.findings, *decision.findings)))[:MAX_FINDINGS_LISTED]
    return msgspec.structs.replace(line, count=line.count + decision.count, findings=findings)
