"""The part of MemoryScanTable that is the audit list."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cascan.model.audit import AuditEntry


class MemoryAuditList:
    def __init__(self) -> None:
        super().__init__()
        self.audit: dict[tuple[datetime, str], AuditEntry] = {}

    def _reach(self) -> None:
        raise NotImplementedError

    def put_audit_entry(self, entry: AuditEntry) -> None:
        self._reach()
        self.audit[entry.at, entry.entry_id] = entry

    def audit_entries(self, until: datetime) -> Iterator[AuditEntry]:
        self._reach()
        yield from (self.audit[key] for key in sorted(self.audit, reverse=True) if key[0] <= until)
