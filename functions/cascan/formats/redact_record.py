"""A record without the passwords and keys that scripts found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from cascan.findings.redact import redact_finding
from cascan.formats.records import Record


def redact_records(records: Iterable[Record]) -> Iterator[Record]:
    for record in records:
        get = record.finding.attributes.get
        # Most findings have none of these; to call a function for each of a million takes as long as all else here
        has_scripts = get("script") or get("scripts") or get("scripts_data")
        yield redact_record(record) if has_scripts or get("accounts") else record


def redact_record(record: Record) -> Record:
    """The same object if it has no secrets."""
    finding = redact_finding(record.finding)
    return record if finding is record.finding else replace(record, finding=finding)
