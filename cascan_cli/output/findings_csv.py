"""Findings as CSV for a spreadsheet: one line each, and no cell that is taken for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from cascan_cli.output.text import printable

if TYPE_CHECKING:
    from cascan.model.finding import Finding

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
)
FORMULA_STARTS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")  # the last four are full-width forms


def render_header() -> bytes:
    return _line(COLUMNS)


def render_rows(findings: Iterable[Finding]) -> bytes:
    return b"".join(_line(_cells(finding)) for finding in findings)


def escape_formula(value: object) -> str:
    """The value on one line, with an apostrophe before what a spreadsheet takes for a formula."""
    text = "" if value is None else printable(value)
    return f"'{text}" if text.lstrip().startswith(FORMULA_STARTS) else text


def _cells(finding: Finding) -> Iterator[object]:
    attributes = finding.attributes
    yield next(iter(attributes.get("ip_addresses") or ()), attributes.get("mac_address"))
    yield attributes.get("hostname")
    yield from (attributes.get(name) for name in ATTRIBUTES.values())
    yield from (
        finding.severity,
        finding.category,
        finding.name,
        finding.location,
        finding.description,
        finding.id,
    )


def _line(cells: Iterable[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(map(escape_formula, cells))
    return text.getvalue().encode()
