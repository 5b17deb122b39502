"""A record → JSON: the finding in secureCodeBox's format, with `scan`, and `record` with what is ours.

    field of `record`   meaning
    ──────────────────  ──────────────────────────────────────────────────────────────────
    uid                 the same in every scan: vantage and fingerprint
    status              open, gone or suppressed
    vantage             where it was seen from
    covered             false: the newest scan of the series did not look at its place
    change              what happened, such as PortOpened
    first_seen          its port open, or its host up
    last_seen           likewise
    labels              of the scan
    owner               of the host, as the expected exposure names it
    note                what a reader has to know, in one sentence

What is not known, or as usual, is left out, except for the first three.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

import msgspec

from cascan.findings.to_json import to_json
from cascan.formats.records import Record

MAX_CACHED = 1_024  # different values that many records have in common
_encode = msgspec.json.Encoder().encode


def encode_record(record: Record) -> bytes:
    """The record as JSON, without a line break."""
    finding, scan = record.finding, record.scan
    if finding.added is not msgspec.UNSET:  # its fields may take the place of others
        merged = to_json(finding, scan.fields if scan else None)
        return _encode(merged | {"record": msgspec.Raw(_encode_fields(record))})
    # The finding's own encoding is continued: a mapping of all takes twice as long
    scan_part = b',"scan":' + scan.encoded if scan else b""
    return b'%b%b,"record":%b}' % (_encode(finding)[:-1], scan_part, _encode_fields(record))


def _encode_fields(record: Record) -> bytes:
    common = _encode_common(
        (record.status, record.vantage, record.change, record.owner, record.note, record.is_covered)
    )
    uid = _encode(f"{record.vantage}/{record.finding.fingerprint}")
    if not (record.first_seen or record.last_seen or record.labels):
        return b'{"uid":%b,%b' % (uid, common)
    fields = OptionalFields(record.first_seen, record.last_seen, record.labels)
    return b'{"uid":%b,%b,%b' % (uid, _encode(fields)[1:-1], common)


class OptionalFields(msgspec.Struct, omit_defaults=True):
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    labels: dict[str, str] = {}


@lru_cache(maxsize=MAX_CACHED)
def _encode_common(values: tuple[str, str, str, str, str, bool]) -> bytes:
    """The end of the JSON, which most records of an export have in common."""
    status, vantage, change, owner, note, is_covered = values
    fields: dict[str, object] = {"status": status, "vantage": vantage}
    if not is_covered:
        fields["covered"] = False
    texts = {"change": change, "owner": owner, "note": note}
    fields |= {name: text for name, text in texts.items() if text}
    return _encode(fields)[1:]
