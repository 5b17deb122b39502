"""A record without the passwords and keys that scripts found."""

from __future__ import annotations

from msgspec.structs import replace

from cascan.findings.redact import redact_finding
from cascan.formats.records import Record


def redact_record(record: Record) -> Record:
    """The same object if it has no secrets."""
    finding = redact_finding(record.finding)
    return record if finding is record.finding else replace(record, finding=finding)
