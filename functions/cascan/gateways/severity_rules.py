"""The operator's severity rules."""

from __future__ import annotations

from typing import Protocol

from cascan.rules.severity import StoredRules


class SeverityRules(Protocol):
    """The severity rules, of which only the newest version is stored."""

    def severity_rules(self) -> StoredRules | None:
        """The severity rules, read consistently. None: there are none."""

    def put_severity_rules(self, stored: StoredRules) -> bool:
        """Store the rules over version `stored.version - 1`. False: another version is stored."""
