"""JSON lines: one finding a line, in secureCodeBox's format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cascan.formats.encode_record import encode_record
from cascan.formats.records import Export, Record


def render_jsonl(records: Iterable[Record], export: Export) -> Iterator[bytes]:  # noqa: ARG001 - as each format
    for record in records:
        yield encode_record(record) + b"\n"
