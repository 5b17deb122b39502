"""CSV for a spreadsheet: a line for each finding, and no cell that is taken for a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from cascan.clock import to_wire
from cascan.formats.records import Export, Record
from cascan.formats.text import to_line

ATTRIBUTES = {"protocol": "protocol", "port": "port", "state": "state", "service": "service",
              "product": "serviceProduct", "version": "serviceVersion", "tunnel": "tunnel",
              "application_protocol": "application_protocol"}  # fmt: skip
COLUMNS = (
    "address",
    "hostname",
    *ATTRIBUTES,
    "severity",
    "category",
    "name",
    "location",
    "description",
    "id",
    "uid",
    "vantage",
    "status",
    "change",
    "covered",
    "first_seen",
    "last_seen",
    "owner",
    "labels",
    "series",
    "scan_id",
    "note",
)
FORMULA_STARTS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")  # the last four are full-width forms
# In many countries spreadsheets begin a cell at each `;`, also inside of our cells
FORMULA_CELL = re.compile(rf"(;[\s\"]*)(?=[{re.escape(''.join(FORMULA_STARTS))}])")


def render_csv(records: Iterable[Record], export: Export) -> Iterator[bytes]:  # noqa: ARG001 - as each format
    yield render_header()
    yield from map(render_row, records)


def render_header() -> bytes:
    return render_line(COLUMNS)


def render_row(record: Record) -> bytes:
    return render_line(_cells(record))


def render_line(cells: Iterable[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(map(escape_formula, cells))
    return text.getvalue().encode()


def escape_formula(value: object) -> str:
    """The value on one line, with an apostrophe before what a spreadsheet takes for a formula."""
    text = to_line(value)
    if ";" in text:
        text = FORMULA_CELL.sub(r"\1'", text)
    return f"'{text}" if text.lstrip().startswith(FORMULA_STARTS) else text


def _cells(record: Record) -> Iterator[object]:
    finding, scan = record.finding, record.scan
    attributes = finding.attributes
    yield next(iter(attributes.get("ip_addresses") or ()), attributes.get("mac_address"))
    yield attributes.get("hostname")
    yield from (attributes.get(name) for name in ATTRIBUTES.values())
    yield from (finding.severity, finding.category, finding.name, finding.location, finding.description, finding.id)
    yield from (record.uid, record.vantage, record.status, record.change)
    yield "yes" if record.is_covered else "no"
    yield from (_format_time(record.first_seen), _format_time(record.seen_at), record.owner)
    yield " ".join(f"{name}={value}" for name, value in sorted(record.labels.items()))
    yield from (scan.fields.get("name"), scan.scan_id) if scan else ("", "")
    yield record.note


def _format_time(moment: datetime | None) -> str:
    return to_wire(moment) if moment else ""
