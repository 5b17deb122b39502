"""The order of a list: by one of its columns, as the address says."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from cascan_cli.errors import BadInput
from cascan_cli.ui.listing import Cell, Listing, Row, build_address, to_row

if TYPE_CHECKING:
    from starlette.requests import Request

SEVERITY_RANKS = {"CRITICAL": 0, "HIGH": 1, "MEDIUM": 2, "LOW": 3, "INFORMATIONAL": 4}
NUMBER = re.compile("([0-9]+)")


class Column(NamedTuple):
    """The head of a column. Its link sorts the list by it, or turns the order around."""

    title: str
    name: str
    href: str
    order: str = ""  # `ascending`, `descending`; empty: the list is not sorted by it


class Order(NamedTuple):
    column: int
    is_descending: bool


def read_order(request: Request, listing: Listing) -> Order | None:
    """None: as the list is read. Raises: BadInput: there is no such column."""
    text = request.query_params.get("sort", "")
    if not text:
        return None
    names = [to_name(title) for title in listing.columns]
    if text.removeprefix("-") not in names:
        raise BadInput(f"sort {text!r:.40}: must be one of {', '.join(names)}, or one with a - in front")
    return Order(names.index(text.removeprefix("-")), text.startswith("-"))


def sort_rows(listing: Listing, order: Order, most: int) -> list[Row]:
    """The first rows, at most so many, in this order."""
    rows = iter(listing.rows)
    listed = list(map(to_row, islice(rows, most)))
    if next(rows, None) is not None:
        listing.notes.append(f"Only the first {most:,} rows are sorted; use the filters to see others.")
    listed.sort(key=lambda row: _build_key(Cell.of(row.cells[order.column]).text), reverse=order.is_descending)
    return listed


def _build_key(text: str) -> list[tuple[int, int, str]]:
    """By numbers in the text as numbers, so that 10.0.0.9 is before 10.0.0.10; severities by their rank."""
    if text in SEVERITY_RANKS:
        return [(0, SEVERITY_RANKS[text], "")]
    key: list[tuple[int, int, str]] = []
    for place, part in enumerate(NUMBER.split(text.casefold())):
        if place % 2:  # a number of any length: without zeros in front, a longer one is greater
            number = part.lstrip("0")
            key.append((1, len(number), number))
        elif part:
            key.append((2, 0, part))
    return key


def build_column(request: Request, listing: Listing, title: str, order: Order | None) -> Column:
    name = to_name(title)
    current = request.query_params.get("sort", "") if order else ""
    href = build_address(request, listing, sort=f"-{name}" if current == name else name)
    return Column(title, name, href, {name: "ascending", f"-{name}": "descending"}.get(current, ""))


def to_name(column: str) -> str:
    """`First seen` → `firstSeen`."""
    name = "".join(column.title().split())
    return name[:1].lower() + name[1:]
