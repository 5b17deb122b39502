"""Rules, and what followed a scan by them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from cascan.model.cascade import (
    BudgetUse,
    CascadeLine,
    CascadeRecord,
    ChildIdentity,
    Reservation,
    StoredChild,
    StoredRule,
)


class RuleTable(Protocol):
    """Cascading rules, every version of them."""

    def put_rule(self, name: str, document: Mapping[str, Any]) -> StoredRule:
        """Store the document as the rule's next version, unless the latest is the same. Returns the latest."""

    def restore_rule(self, rule: StoredRule) -> bool:
        """Store a version as it was, unless this or a later one is stored. False: one is."""

    def rules(self) -> Iterator[StoredRule]:
        """The latest version of each that is not deleted, in order of their names."""

    def rule(self, name: str, version: int) -> StoredRule | None:
        """A version of the rule, also of a deleted one."""

    def delete_rule(self, name: str) -> bool:
        """Delete the rule. Its versions stay, for scans that began with them. False: there is no such rule."""


class CascadeTable(Protocol):
    """What followed a scan, and what a root scan has spent on all that followed it."""

    def begin_cascade(self, scan_id: str, rules: Mapping[str, int]) -> CascadeRecord:
        """Fix the rules, by name and version. The record as it stands: an earlier delivery may have fixed others."""

    def cascade(self, scan_id: str) -> CascadeRecord | None:
        """What was decided about the scan's findings, read consistently."""

    def spent(self, root_scan: str) -> BudgetUse:
        """What is reserved below the root scan, read consistently."""

    def asked(self, root_scan: str) -> Iterator[ChildIdentity]:
        """What was asked for below the root scan, read consistently."""

    def reserve_child(self, scan_id: str, root_scan: str, child: StoredChild, most: BudgetUse) -> Reservation:
        """Store the child, and count it in the root scan's budget `most`, in one transaction; one that is there stays.

        Its request is noted among the issued ones, if it is for us to plan.

        Nothing is written where the budget does not hold it, or another scan below the root has one of its key.
        """

    def cascade_children(self, scan_id: str) -> Iterator[StoredChild]:
        """In order of their keys, read consistently."""

    def mark_sent(self, scan_id: str, key: str) -> None:
        """The child's request is on its way."""

    def end_cascade(self, scan_id: str, lines: Sequence[CascadeLine]) -> None:
        """All children are reserved; the lines say why there are no more."""
