"""Cascading rules, and the child scans that they started."""

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
    """Cascading rules, with every version of each."""

    def put_rule(self, name: str, document: Mapping[str, Any]) -> StoredRule:
        """Store the document as the rule's next version, unless it equals the latest version.

        Returns the version that is the latest afterwards.
        """

    def restore_rule(self, rule: StoredRule) -> bool:
        """Store a version from a backup. False: this version, or a later one, is already stored."""

    def rules(self) -> Iterator[StoredRule]:
        """The latest version of each rule that is not deleted, in order of the rules' names."""

    def rule(self, name: str, version: int) -> StoredRule | None:
        """One version of the rule, even if the rule is deleted. None: there is no such version."""

    def delete_rule(self, name: str) -> bool:
        """Delete the rule, but keep its versions for the scans that began with them.

        False: there is no such rule.
        """


class CascadeTable(Protocol):
    """The children of each scan, and the budget that all scans below one root share."""

    def begin_cascade(self, scan_id: str, rules: Mapping[str, int]) -> CascadeRecord:
        """Fix the versions of the rules, by name, that apply to the scan's findings.

        Returns the stored record. An earlier delivery may have stored other versions.
        """

    def cascade(self, scan_id: str) -> CascadeRecord | None:
        """What was decided about the scan's findings, read consistently. None: nothing yet."""

    def spent(self, root_scan: str) -> BudgetUse:
        """The budget that the scans below the root have reserved, read consistently."""

    def asked(self, root_scan: str) -> Iterator[ChildIdentity]:
        """The identities of all children requested below the root scan, read consistently."""

    def reserve_child(
        self,
        scan_id: str,
        root_scan: str,
        child: StoredChild,
        most: BudgetUse,
    ) -> Reservation:
        """Store the child and count it in the root scan's budget, in one transaction.

        `most` is the whole budget. A child that is already stored stays as it is. If cascan
        itself runs the child, the transaction also stores its request among the issued requests.

        Nothing is written if the budget is too small, or if another scan below the root already
        has a child with the same key.
        """

    def cascade_children(self, scan_id: str) -> Iterator[StoredChild]:
        """The scan's children, in order of their keys, read consistently."""

    def mark_sent(self, scan_id: str, key: str) -> None:
        """Record that the child's request was sent."""

    def end_cascade(self, scan_id: str, lines: Sequence[CascadeLine]) -> None:
        """Record that all children are reserved. The lines explain each decision."""
