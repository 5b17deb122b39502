"""A completed scan's findings and the rules → the next scans, each requested once however often the
event arrives.

1  pin the rules by name and version, so that a repeated delivery decides with the same
2  store each child with its whole request and count it in the root scan's budget, in one transaction
3  announce on the bus what is not followed, and store it for `cascan tree`
4  send each child's request and mark it as sent; the idempotency key makes a request that is sent twice one scan

A crash between any two of these steps leaves what the next delivery needs to go on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from cascan.cascades.caps import Caps
from cascan.cascades.context import CascadeContext, NewPlaces
from cascan.cascades.decide_children import decide_children
from cascan.cascades.decision import Decision, DecisionKind
from cascan.cascades.inheritance import read_chain
from cascan.cascades.pinned_rules import (
    BundledRules,
    load_current_rules,
    load_pinned_rules,
    parse_rules,
)
from cascan.cascades.rule import CascadingRule
from cascan.clock import Clock
from cascan.errors import MalformedMessage
from cascan.events import (
    BusEvent,
    CascadeCapped,
    CascadeRefused,
    CascadeRequested,
    ScanCompleted,
    build_event_fields,
)
from cascan.gateways import (
    CascadeTable,
    EventBus,
    Findings,
    Inventory,
    RequestQueue,
    RuleTable,
    Scans,
)
from cascan.ids import derive_event_id
from cascan.limits import MAX_CASCADE_EVENTS
from cascan.model.cascade import BudgetUse, Cap, CascadeLine, Reservation, StoredChild
from cascan.model.request import ScanRequest
from cascan.model.scan import Scan, ScanState
from cascan.permissions.permissions import Permissions
from cascan.scans.load_scan import load_scan
from on_scan_completed.cascade_records import build_cascade_lines, build_stored_child

ANNOUNCED = {  # on the bus; the other kinds are what rules are expected to give
    DecisionKind.CAPPED,
    DecisionKind.OUT_OF_SCOPE,
    DecisionKind.REFUSED,
    DecisionKind.FAILED,
}
COMPLETED = {ScanState.PARSE_COMPLETED, ScanState.HOOK_PROCESSING, ScanState.DONE}
CANCELLED = CascadeLine(
    kind=DecisionKind.REFUSED,
    rule="",
    reason="the root scan was cancelled: nothing follows it any more",
)


@dataclass(frozen=True, slots=True)
class FollowUpSummary:
    """What a delivery did, for the log."""

    scan_id: str
    requested: int = 0  # sent by this delivery
    lines: dict[str, int] = field(default_factory=dict)  # findings that were not followed, by kind


class ScanObservations(Scans, Findings, Inventory, Protocol):
    """What following a scan reads: the scan and its root, its findings, and what they changed."""


@dataclass(frozen=True)
class CascadeRunner:
    """Follows scans up. Has the gateways, and the settings of the operator."""

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
        """Raises: MalformedMessage: no such scan, or not completed. GatewayUnavailable: try again."""
        scan = load_scan(self.table, event.scan_id)
        if scan.state not in COMPLETED:
            raise MalformedMessage(
                f"scan {event.scan_id} is {scan.state}: it is not completed, whatever the event says"
            )
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
        """Reserve the children of the scan, and store why there are no others."""
        root = request.origin.root_scan if request.origin else scan.scan_id
        root_scan = scan if root == scan.scan_id else self.table.get_scan(root)
        current = load_current_rules(self.rules, self.bundled)
        versions = {rule.name: rule.version for rule in current.values()}
        record = self.cascades.begin_cascade(scan.scan_id, versions)
        if root_scan and root_scan.state is ScanState.CANCELLED:
            self.cascades.end_cascade(scan.scan_id, [CANCELLED])
            return
        rules, unreadable = parse_rules(load_pinned_rules(current, record.rules, self.rules, self.bundled))
        context = self._build_context(scan, request, rules, root)
        decided = decide_children(scan, rules, self.table.findings(scan.scan_id), context)
        reserved = [self._reserve(decision, scan, root, event) for decision in decided]
        lines = build_cascade_lines([*unreadable, *reserved])
        self._announce(scan, lines, event)
        self.cascades.end_cascade(scan.scan_id, lines)

    def _build_context(self, scan: Scan, request: ScanRequest, rules: list[CascadingRule], root: str) -> CascadeContext:
        """The context as it was before this scan: children that an earlier delivery reserved do not
        count.
        """
        reserved = list(self.cascades.cascade_children(scan.scan_id))
        reserved_use = sum((child.weight for child in reserved), BudgetUse())
        own_identities = {child.asked for child in reserved}
        by_others = (identity for identity in self.cascades.asked(root) if identity not in own_identities)
        needs_changes = any(rule.only_new_or_changed for rule in rules)
        return CascadeContext(
            permit=self.permit,
            caps=self.caps,
            spent=self.cascades.spent(root) - reserved_use,
            requested=tuple(by_others),
            new_places=self._find_new_places(scan) if needs_changes else None,
            started_by=_find_started_by(rules, read_chain(request.annotations)),
        )

    def _find_new_places(self, scan: Scan) -> NewPlaces:
        shards = range(scan.shards)
        return NewPlaces.from_changes(
            change for number in shards for change in self.table.changes(scan.scan_id, number)
        )

    def _reserve(self, decision: Decision, scan: Scan, root: str, event: ScanCompleted) -> Decision:
        """The decision, with its child reserved in the root scan's budget, or why that is not
        possible.

        Other scans of the cascade use the same budget, so it may be spent since the decision.
        """
        child = decision.child
        if child is None:
            return decision
        budget = BudgetUse(self.caps.scans, self.caps.probes, self.caps.cost_micro_usd)
        stored = build_stored_child(decision, child, scan, root, event.event_id)
        match self.cascades.reserve_child(scan.scan_id, root, stored, budget):
            case Reservation.RESERVED:
                return decision
            case Reservation.ASKED:
                reason = "another scan of the cascade asked for the same at the same time"
                return msgspec.structs.replace(decision, kind=DecisionKind.DUPLICATE, reason=reason, child=None)
        exceeded = self.caps.find_exceeded(self.cascades.spent(root) + child.weight)
        cap, reason = exceeded or (Cap.SCANS, "the budget of the root scan is spent")
        return msgspec.structs.replace(decision, kind=DecisionKind.CAPPED, cap=cap, reason=reason, child=None)

    def _announce(self, scan: Scan, lines: Iterable[CascadeLine], event: ScanCompleted) -> None:
        announced = [line for line in lines if line.kind in ANNOUNCED][:MAX_CASCADE_EVENTS]
        if announced:
            self.bus.put([self._build_event(line, scan, event) for line in announced])

    def _build_event(self, line: CascadeLine, scan: Scan, event: ScanCompleted) -> BusEvent:
        fields: dict[str, Any] = build_event_fields(scan, at=self.clock(), cause_id=event.event_id) | {
            "event_id": derive_event_id(scan.scan_id, "cascade", line.kind, line.rule, line.cap, line.reason),
            "rule": line.rule,
            "reason": line.reason,
            "findings": line.findings,
            "count": line.count,
        }
        if line.kind == DecisionKind.CAPPED:
            return CascadeCapped(**fields, cap=line.cap)
        return CascadeRefused(**fields, kind=line.kind)

    def _send(self, scan: Scan, event: ScanCompleted) -> int:
        """Send the reserved children that were not sent yet.

        Returns how many this delivery sent.
        """
        sent = 0
        for child in self.cascades.cascade_children(scan.scan_id):
            if not child.sent:
                if child.scan_id:
                    self.requests.send(child.body)
                else:
                    self.bus.put([self._build_requested(child, scan, event)])
                self.cascades.mark_sent(scan.scan_id, child.key)
                sent += 1
        return sent

    def _build_requested(self, child: StoredChild, scan: Scan, event: ScanCompleted) -> BusEvent:
        return CascadeRequested(
            **build_event_fields(scan, at=self.clock(), cause_id=event.event_id),
            event_id=derive_event_id(scan.scan_id, "child", child.key),
            rule=child.rule,
            scan_type=child.scan_type,
            request=msgspec.json.decode(child.body),
            findings=child.findings,
            count=child.count,
        )


def _find_started_by(rules: Iterable[CascadingRule], chain: list[str]) -> CascadingRule | None:
    return next((rule for rule in rules if chain and rule.name == chain[-1]), None)
