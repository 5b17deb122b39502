"""A record → JSON: the finding in secureCodeBox's format, with `scan`, and `record` with what is ours."""

from __future__ import annotations

from datetime import datetime

import msgspec

from cascan.findings.to_json import to_json
from cascan.formats.records import Record

_encode = msgspec.json.Encoder().encode


class RecordFields(msgspec.Struct, omit_defaults=True):
    """The field `record` of the JSON. What is not known, or as usual, is left out."""

    uid: str  # the same in every scan
    status: str
    vantage: str
    covered: bool = True
    change: str = ""
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    labels: dict[str, str] = {}
    owner: str = ""
    note: str = ""


def encode_record(record: Record) -> bytes:
    """The record as JSON, without a line break."""
    fields = RecordFields(
        record.uid,
        record.status,
        record.vantage,
        record.is_covered,
        record.change,
        record.first_seen,
        record.last_seen,
        record.labels,
        record.owner,
        record.note,
    )
    scan = record.scan
    if record.finding.added is not msgspec.UNSET:  # its fields may take the place of others
        merged = to_json(record.finding, scan.fields if scan else None)
        return _encode(merged | {"record": fields})
    # The finding's own encoding is continued, in half the time of a mapping
    scan_part = b',"scan":' + scan.encoded if scan else b""
    return _encode(record.finding)[:-1] + scan_part + b',"record":' + _encode(fields) + b"}"
