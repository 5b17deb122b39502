"""A table of anything but findings, such as scans or schedules: as CSV, Markdown, JSON or JSON lines.

CSV and Markdown have the cells of a row, JSON the value that the row was made from. Texts from scanned
hosts are escaped as in the formats of findings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from cascan.formats.csv_lines import render_line
from cascan.formats.markdown import render_head, render_table_head, render_table_row
from cascan.formats.records import Export
from cascan.formats.registry import check_table_format


class TableRow(NamedTuple):
    cells: Sequence[object]
    value: Any  # of JSON


def render_table(name: str, columns: Sequence[str], rows: Iterable[TableRow], export: Export) -> Iterator[bytes]:
    """The document, in chunks. Columns are named as in a terminal: `REQUESTED BY`.

    Raises: ValueError: the format is unknown, or has no tables.
    """
    check_table_format(name)
    if name == "csv":
        return _render_csv(columns, rows)
    if name == "md":
        return _render_markdown(columns, rows, export)
    return _render_json(rows) if name == "json" else _render_json_lines(rows)


def _render_csv(columns: Sequence[str], rows: Iterable[TableRow]) -> Iterator[bytes]:
    yield render_line(title.lower().replace(" ", "_") for title in columns)
    for row in rows:
        yield render_line(row.cells)


def _render_markdown(columns: Sequence[str], rows: Iterable[TableRow], export: Export) -> Iterator[bytes]:
    yield from render_head(export)
    count = 0
    for count, row in enumerate(rows, start=1):
        if count == 1:
            yield render_table_head([title.capitalize() for title in columns])
        yield render_table_row(row.cells)
    yield f"\n{count or 'No'} {'row' if count == 1 else 'rows'}.\n".encode()


def _render_json(rows: Iterable[TableRow]) -> Iterator[bytes]:
    separator = b"[\n"
    for row in rows:
        yield separator + _encode(row.value)
        separator = b",\n"
    yield b"[]\n" if separator == b"[\n" else b"\n]\n"


def _render_json_lines(rows: Iterable[TableRow]) -> Iterator[bytes]:
    for row in rows:
        yield _encode(row.value) + b"\n"


def _encode(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:  # a surrogate, which has no bytes in UTF-8
        return json.dumps(msgspec.to_builtins(value)).encode()
