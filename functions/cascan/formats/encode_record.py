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

from typing import Any

import msgspec

from cascan.findings.to_json import to_json
from cascan.formats.records import Record

_encode = msgspec.json.Encoder().encode


class RecordEncoder:
    """Encodes the records of one document. What a record has in common with the one before is encoded once."""

    def __init__(self, end: bytes = b"") -> None:
        """`end`: what follows each record."""
        self._after = end
        self._common: tuple[Any, ...] = ()
        self._start = b""  # JSON from the end of the finding to the fingerprint in the uid
        self._end = b""  # from the end of the times

    def encode(self, record: Record) -> bytes:
        """The record as JSON, without a line break."""
        common = (
            record.scan,
            record.vantage,
            record.status,
            record.change,
            record.owner,
            record.note,
            record.is_covered,
            record.labels,
        )
        if common != self._common:
            self._encode_common(record)
            self._common = common
        finding = record.finding
        if finding.added is not msgspec.UNSET:
            return self._merge(record)
        # The finding's own encoding is continued: a mapping of all takes twice as long
        fingerprint = _encode(finding.fingerprint)[1:]  # the quotation mark in front is that of the vantage
        times = _encode_times(record) if record.first_seen or record.last_seen else b""
        return b"".join((_encode(finding)[:-1], self._start, fingerprint, times, self._end))

    def _encode_common(self, record: Record) -> None:
        scan = b',"scan":' + record.scan.encoded if record.scan else b""
        self._start = b'%b,"record":{"uid":%b' % (scan, _encode(f"{record.vantage}/")[:-1])
        self._end = b",%b}%b" % (_encode(_list_common(record))[1:], self._after)

    def _merge(self, record: Record) -> bytes:
        """The fields that a severity rule added may take the place of others."""
        merged = to_json(record.finding, record.scan.fields if record.scan else None)
        times = {"first_seen": record.first_seen, "last_seen": record.last_seen}
        known_times = {name: moment for name, moment in times.items() if moment}
        merged["record"] = {"uid": record.uid, **known_times, **_list_common(record)}
        return _encode(merged) + self._after


def _list_common(record: Record) -> dict[str, object]:
    """The fields that most records of an export have in common."""
    fields: dict[str, object] = {"labels": record.labels} if record.labels else {}
    fields |= {"status": record.status, "vantage": record.vantage}
    if not record.is_covered:
        fields["covered"] = False
    texts = {"change": record.change, "owner": record.owner, "note": record.note}
    return fields | {name: text for name, text in texts.items() if text}


def _encode_times(record: Record) -> bytes:
    first_seen = b',"first_seen":' + _encode(record.first_seen) if record.first_seen else b""
    last_seen = b',"last_seen":' + _encode(record.last_seen) if record.last_seen else b""
    return first_seen + last_seen
