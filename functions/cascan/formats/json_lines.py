"""JSON lines: one finding a line, in secureCodeBox's format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cascan.formats.encode_record import RecordEncoder
from cascan.formats.records import Export, Record


def render_jsonl(records: Iterable[Record], export: Export) -> Iterator[bytes]:  # noqa: ARG001 - as each format
    return map(RecordEncoder(end=b"\n").encode, records)
