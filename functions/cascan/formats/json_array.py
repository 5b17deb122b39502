"""JSON: one array of findings in secureCodeBox's format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cascan.formats.encode_record import RecordEncoder
from cascan.formats.records import Export, Record


def render_json(records: Iterable[Record], export: Export) -> Iterator[bytes]:  # noqa: ARG001 - as each format
    encode, separator = RecordEncoder().encode, b"[\n"
    for record in records:
        yield separator + encode(record)
        separator = b",\n"
    yield b"[]\n" if separator == b"[\n" else b"\n]\n"
