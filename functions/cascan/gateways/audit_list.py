"""The audit list: what was done in consoles."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from cascan.model.audit import AuditEntry


class AuditList(Protocol):
    """Entries are kept for AUDIT_DAYS. Nothing else removes them."""

    def put_audit_entry(self, entry: AuditEntry) -> None:
        """Store the entry, over an earlier one with its time and id."""

    def audit_entries(self, until: datetime) -> Iterator[AuditEntry]:
        """The entries up to the time, the newest first, read consistently."""
