"""A completed scan's findings and the rules → the next scans, requested once however often the completion is told.

1  the rules are fixed, by name and version: a repeat decides with the same
2  each child is stored with its whole request and counted in the root scan's budget, in one transaction
3  what is not followed is told on the bus, and kept for `cascan tree`
4  each child's request is sent, and marked so; one that is sent twice is one scan, by its idempotency key

A crash between any two of these leaves what the next delivery needs to go on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from cascan.cascades.caps import Caps
from cascan.cascades.child_documents import build_child_manifest, build_child_request
from cascan.cascades.context import CascadeContext, NewPlaces
from cascan.cascades.decide_children import decide_children
from cascan.cascades.decision import Child, Decision, DecisionKind
from cascan.cascades.inheritance import read_chain
from cascan.cascades.pinned_rules import BundledRules, load_current_rules, load_pinned_rules, parse_rules
from cascan.cascades.rule import CascadingRule
from cascan.clock import Clock
from cascan.errors import MalformedMessage
from cascan.events import BusEvent, CascadeCapped, CascadeRefused, CascadeRequested, ScanCompleted, build_event_fields
from cascan.gateways import CascadeTable, EventBus, Findings, Inventory, RequestQueue, RuleTable, Scans
from cascan.ids import derive_event_id, derive_scan_id
from cascan.limits import MAX_CASCADE_EVENTS
from cascan.model.cascade import BudgetUse, Cap, CascadeLine, Reservation, StoredChild
from cascan.model.request import ScanRequest
from cascan.model.scan import Scan, ScanState
from cascan.permissions.permissions import Permissions
from on_scan_completed.cascade_records import build_cascade_lines

TOLD = {
    DecisionKind.CAPPED,
    DecisionKind.OUT_OF_SCOPE,
    DecisionKind.REFUSED,
    DecisionKind.FAILED,
}  # on the bus; the rest is no surprise
COMPLETED = {ScanState.PARSE_COMPLETED, ScanState.HOOK_PROCESSING, ScanState.DONE}
CANCELLED = CascadeLine(
    kind=DecisionKind.REFUSED, rule="", reason="the root scan was cancelled: nothing follows it any more"
)


@dataclass(frozen=True, slots=True)
class FollowUpSummary:
    """What came of it, for the log."""

    scan_id: str
    requested: int = 0  # sent by this delivery
    lines: dict[str, int] = field(default_factory=dict)  # by kind, of what was not followed


class ScanObservations(Scans, Findings, Inventory, Protocol):
    """What following a scan reads: the scan and its root, its findings, and what they changed."""


@dataclass(frozen=True)
class CascadeRunner:
    """The gateways, and what the operator decides."""

    table: ScanObservations
    cascades: CascadeTable
    rules: RuleTable
    requests: RequestQueue
    bus: EventBus
    permit: Permissions
    clock: Clock
    caps: Caps = field(default_factory=Caps)
    bundled: BundledRules = dict  # the rules that come with cascan, if they are on

    def follow_up(self, event: ScanCompleted) -> FollowUpSummary:
        """Raises: MalformedMessage: there is no such scan. GatewayUnavailable: to be told again, and gone on with."""
        scan = self.table.get_scan(event.scan_id)
        if scan is None:
            raise MalformedMessage(f"there is no scan {event.scan_id}")
        if scan.state not in COMPLETED:
            what = f"scan {event.scan_id} is {scan.state}: it is not completed, whatever the event says"
            raise MalformedMessage(what)
        if scan.request is None or scan.request.cascades is None:
            return FollowUpSummary(scan.scan_id)
        record = self.cascades.cascade(scan.scan_id)
        if record is None or not record.decided:
            self._decide(scan, scan.request, event)
            record = self.cascades.cascade(scan.scan_id)
        lines: Counter[str] = Counter()
        for line in record.lines if record else ():
            lines[line.kind] += line.count
        return FollowUpSummary(scan.scan_id, self._send(scan, event), dict(lines))

    def _decide(self, scan: Scan, request: ScanRequest, event: ScanCompleted) -> None:
        root = request.origin.root_scan if request.origin else scan.scan_id
        root_scan = scan if root == scan.scan_id else self.table.get_scan(root)
        current = load_current_rules(self.rules, self.bundled)
        record = self.cascades.begin_cascade(scan.scan_id, {rule.name: rule.version for rule in current.values()})
        if root_scan and root_scan.state is ScanState.CANCELLED:
            self.cascades.end_cascade(scan.scan_id, [CANCELLED])
            return
        rules, unreadable = parse_rules(load_pinned_rules(current, record.rules, self.rules, self.bundled))
        own = list(self.cascades.cascade_children(scan.scan_id))  # of an earlier delivery of the same
        own_keys = {child.asked for child in own}
        context = CascadeContext(
            permit=self.permit,
            caps=self.caps,
            spent=self.cascades.spent(root) - sum((child.weight for child in own), BudgetUse()),
            asked=tuple(asked for asked in self.cascades.asked(root) if asked not in own_keys),
            changed=self._changed(scan) if any(rule.only_new_or_changed for rule in rules) else None,
            started_by=_started_by(rules, read_chain(request.annotations)),
        )
        found = decide_children(scan, rules, self.table.findings(scan.scan_id), context)
        decisions = [*unreadable, *(self._reserved(decision, scan, root, event) for decision in found)]
        lines = build_cascade_lines(decisions)
        self._tell(scan, lines, event)
        self.cascades.end_cascade(scan.scan_id, lines)

    def _changed(self, scan: Scan) -> NewPlaces:
        return NewPlaces.by(
            change for number in range(scan.shards) for change in self.table.changes(scan.scan_id, number)
        )

    def _reserved(self, decision: Decision, scan: Scan, root: str, event: ScanCompleted) -> Decision:
        """The decision, or that it is capped: the budget is the root scan's, and other scans spend from it as well."""
        child = decision.child
        if child is None:
            return decision
        most = BudgetUse(self.caps.scans, self.caps.probes, self.caps.cost_micro_usd)
        stored = _stored(decision, child, scan, root, event)
        match self.cascades.reserve_child(scan.scan_id, root, stored, most):
            case Reservation.RESERVED:
                return decision
            case Reservation.ASKED:
                reason = "another scan of the cascade asked for the same at the same time"
                return msgspec.structs.replace(decision, kind=DecisionKind.DUPLICATE, reason=reason, child=None)
        reached = self.caps.reached(self.cascades.spent(root) + child.weight)
        cap, reason = reached or (Cap.SCANS, "the budget of the root scan is spent")
        return msgspec.structs.replace(decision, kind=DecisionKind.CAPPED, cap=cap, reason=reason, child=None)

    def _tell(self, scan: Scan, lines: Iterable[CascadeLine], event: ScanCompleted) -> None:
        events = [self._said(line, scan, event) for line in lines if line.kind in TOLD][:MAX_CASCADE_EVENTS]
        if events:
            self.bus.put(events)

    def _said(self, line: CascadeLine, scan: Scan, event: ScanCompleted) -> BusEvent:
        said: dict[str, Any] = build_event_fields(scan, at=self.clock(), cause_id=event.event_id) | {
            "event_id": derive_event_id(scan.scan_id, "cascade", line.kind, line.rule, line.cap, line.reason),
            "rule": line.rule,
            "reason": line.reason,
            "findings": line.findings,
            "count": line.count,
        }
        if line.kind == DecisionKind.CAPPED:
            return CascadeCapped(**said, cap=line.cap)
        return CascadeRefused(**said, kind=line.kind)

    def _send(self, scan: Scan, event: ScanCompleted) -> int:
        """How many of the reserved children were sent by this delivery."""
        sent = 0
        for child in self.cascades.cascade_children(scan.scan_id):
            if not child.sent:
                if child.scan_id:
                    self.requests.send(child.body)
                else:
                    self.bus.put([self._requested(child, scan, event)])
                self.cascades.mark_sent(scan.scan_id, child.key)
                sent += 1
        return sent

    def _requested(self, child: StoredChild, scan: Scan, event: ScanCompleted) -> BusEvent:
        return CascadeRequested(
            **build_event_fields(scan, at=self.clock(), cause_id=event.event_id),
            event_id=derive_event_id(scan.scan_id, "child", child.key),
            rule=child.rule,
            scan_type=child.scan_type,
            request=msgspec.json.decode(child.body),
            findings=child.findings,
            count=child.count,
        )


def _started_by(rules: Iterable[CascadingRule], chain: list[str]) -> CascadingRule | None:
    return next((rule for rule in rules if chain and rule.name == chain[-1]), None)


def _stored(decision: Decision, child: Child, scan: Scan, root: str, event: ScanCompleted) -> StoredChild:
    if decision.kind is DecisionKind.START:
        request = build_child_request(child, scan, root, event.event_id)
        scan_id, body = derive_scan_id(request.idempotency_key), msgspec.json.encode(request).decode()
    else:
        scan_id, body = "", msgspec.json.encode(build_child_manifest(child, scan)).decode()
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
        body=body,
    )
