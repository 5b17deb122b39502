"""The operator's rules on findings."""

from __future__ import annotations

from typing import Protocol

from cascan.rules.severity import StoredRules


class SeverityRules(Protocol):
    """The newest version of the rules."""

    def severity_rules(self) -> StoredRules | None:
        """The rules on findings, read consistently; None: there are none."""

    def put_severity_rules(self, stored: StoredRules) -> bool:
        """Store them over version `stored.version - 1`. False: another version is there."""
