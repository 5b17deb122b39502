"""ScanTable's contract: the audit list. On the fake and on DynamoDB."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from cascan.gateways import ScanTable
from cascan.model.audit import BEGUN, AuditEntry

AT = datetime(2099, 3, 31, 23, 59, tzinfo=UTC)


def an_entry(name: str, minutes: int = 0) -> AuditEntry:
    at = AT + timedelta(minutes=minutes)
    return AuditEntry(entry_id=name, at=at, by="AIDAANN", user="ann", action="scan", subject="10.0.0.1")


class TestAuditList:
    def test_entries_come_newest_first_also_over_the_end_of_a_month(self, table: ScanTable) -> None:
        entries = [an_entry("b"), an_entry("a", 2), an_entry("c", -60 * 24 * 40), an_entry("later", 60 * 24 * 40)]
        for entry in entries:
            table.put_audit_entry(entry)
        listed = list(table.audit_entries(AT + timedelta(minutes=5)))
        assert [entry.entry_id for entry in listed] == ["a", "b", "c"]
        assert listed[1] == entries[0]
        assert listed[1].outcome == BEGUN

    def test_the_outcome_takes_the_place_of_the_entry(self, table: ScanTable) -> None:
        entry = an_entry("a")
        table.put_audit_entry(entry)
        table.put_audit_entry(replace(entry, outcome="done"))
        assert [entry.outcome for entry in table.audit_entries(AT)] == ["done"]
