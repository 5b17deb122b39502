"""In-memory gateways of cascades, with the semantics of the real ones: tests/integration/gateways/ holds for both."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from cascan.errors import GatewayUnavailable
from cascan.ids import digest_body
from cascan.limits import MAX_DECISIONS_KEPT
from cascan.model.cascade import (
    BudgetUse,
    CascadeLine,
    CascadeRecord,
    ChildIdentity,
    Reservation,
    StoredChild,
    StoredRule,
)
from tests.support.builders import NOW


class MemoryRuleTable:
    """RuleTable in dicts."""

    def __init__(self) -> None:
        self.versions: dict[str, list[StoredRule]] = {}
        self.deleted: set[str] = set()

    def put_rule(self, name: str, document: Mapping[str, Any]) -> StoredRule:
        versions = self.versions.setdefault(name, [])
        if versions and versions[-1].document == dict(document) and name not in self.deleted:
            return versions[-1]
        version = versions[-1].version + 1 if versions else 1
        versions.append(StoredRule(name=name, version=version, document=dict(document), stored_at=NOW))
        self.deleted.discard(name)
        return versions[-1]

    def restore_rule(self, rule: StoredRule) -> bool:
        versions = self.versions.setdefault(rule.name, [])
        if versions and versions[-1].version >= rule.version:
            return False
        versions.append(rule)
        self.deleted.discard(rule.name)
        return True

    def rules(self) -> Iterator[StoredRule]:
        return iter([self.versions[name][-1] for name in sorted(self.versions) if name not in self.deleted])

    def rule(self, name: str, version: int) -> StoredRule | None:
        return next((rule for rule in self.versions.get(name, []) if rule.version == version), None)

    def delete_rule(self, name: str) -> bool:
        there = name in self.versions and name not in self.deleted
        self.deleted.add(name)
        return there


class MemoryIssuedRequests:
    """IssuedRequests in a dict: digests by scan id."""

    def __init__(self) -> None:
        self.digests: dict[str, str] = {}

    def issue(self, scan_id: str, body: str) -> None:
        self.digests[scan_id] = digest_body(body)

    def was_issued(self, scan_id: str, digest: str) -> bool:
        return self.digests.get(scan_id) == digest


class MemoryCascadeTable:
    """CascadeTable in dicts. `break_at` counts writes: the one of that number, from 1, raises and is not done."""

    def __init__(self, issued: MemoryIssuedRequests | None = None) -> None:
        self.issued = issued or MemoryIssuedRequests()
        self.records: dict[str, CascadeRecord] = {}
        self.stored: dict[str, dict[str, StoredChild]] = {}
        self.budgets: dict[str, BudgetUse] = {}
        self.below: dict[str, dict[str, StoredChild]] = {}  # root scan → what all scans below it asked for
        self.before_write: Callable[[], None] = lambda: None

    def begin_cascade(self, scan_id: str, rules: Mapping[str, int]) -> CascadeRecord:
        self.before_write()
        return self.records.setdefault(scan_id, CascadeRecord(rules=dict(rules)))

    def cascade(self, scan_id: str) -> CascadeRecord | None:
        return self.records.get(scan_id)

    def spent(self, root_scan: str) -> BudgetUse:
        return self.budgets.get(root_scan, BudgetUse())

    def asked(self, root_scan: str) -> Iterator[ChildIdentity]:
        return iter([child.asked for _, child in sorted(self.below.get(root_scan, {}).items()) if child.asked])

    def reserve_child(self, scan_id: str, root_scan: str, child: StoredChild, most: BudgetUse) -> Reservation:
        self.before_write()
        children, below = self.stored.setdefault(scan_id, {}), self.below.setdefault(root_scan, {})
        if child.key in children:
            return Reservation.RESERVED
        after = self.spent(root_scan) + child.weight
        if child.key in below:
            return Reservation.ASKED
        if after.scans > most.scans or after.probes > most.probes or after.cost_micro_usd > most.cost_micro_usd:
            return Reservation.FULL
        children[child.key] = below[child.key] = child
        if child.scan_id:
            self.issued.issue(child.scan_id, child.body)
        self.budgets[root_scan] = after
        return Reservation.RESERVED

    def cascade_children(self, scan_id: str) -> Iterator[StoredChild]:
        children = self.stored.get(scan_id, {})
        return iter([children[key] for key in sorted(children)])

    def mark_sent(self, scan_id: str, key: str) -> None:
        self.before_write()
        self.stored[scan_id][key] = replace(self.stored[scan_id][key], sent=True)

    def end_cascade(self, scan_id: str, lines: Sequence[CascadeLine]) -> None:
        self.before_write()
        kept = tuple(lines[:MAX_DECISIONS_KEPT])
        self.records[scan_id] = replace(self.records[scan_id], decided=True, lines=kept, more=len(lines) - len(kept))


class MemoryRequestQueue:
    """RequestQueue that remembers what was sent, in order."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.delays_s: list[int] = []
        self.before_write: Callable[[], None] = lambda: None

    def send(self, body: str, *, delay_s: int = 0) -> str:
        self.before_write()
        self.sent.append(body)
        self.delays_s.append(delay_s)
        return hashlib.sha256(f"{len(self.sent)}{body}".encode()).hexdigest()[:32]


class Crash:
    """Stands before every write of several gateways, and lets the one of number `at` fail."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.seen = 0

    def __call__(self) -> None:
        self.seen += 1
        if self.seen == self.at:
            raise GatewayUnavailable("crash")
