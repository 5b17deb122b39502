"""A list on a page: its filters, its rows, its paging, and the same rows as a file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode

from starlette.responses import Response

from cascan.formats.csv_lines import escape_formula
from cascan.limits import CONSOLE_PAGE_ROWS, MAX_CONSOLE_ROWS
from cascan_cli.errors import BadInput
from cascan_cli.ui.console import get_console

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_PAGE = MAX_CONSOLE_ROWS // CONSOLE_PAGE_ROWS
EXPORTS = ("csv", "json")


class Cell(NamedTuple):
    text: str
    href: str = ""
    mark: str = ""  # a class of the style sheet: a severity, a state

    @classmethod
    def of(cls, value: object) -> Cell:
        return value if isinstance(value, Cell) else cls("" if value is None else str(value))


class Filter(NamedTuple):
    """A field above a list. Its value is in the address, so that the page can be linked to."""

    name: str
    label: str
    value: str = ""
    choices: tuple[str, ...] = ()  # empty: any text
    hint: str = ""


@dataclass
class Listing:
    """`rows`: as many as are needed are read."""

    title: str
    columns: tuple[str, ...]
    rows: Iterable[Sequence[object]]
    filters: tuple[Filter, ...] = ()
    empty: str = "Nothing matches."
    notes: list[str] = field(default_factory=list)


class Section(NamedTuple):
    """A further list on a page, which is not paged or exported."""

    title: str
    columns: tuple[str, ...]
    rows: list[list[Cell]]


def make_section(title: str, columns: tuple[str, ...], rows: Iterable[Sequence[object]]) -> Section:
    """The first CONSOLE_PAGE_ROWS rows."""
    cells = [[Cell.of(value) for value in row] for row in islice(rows, CONSOLE_PAGE_ROWS)]
    return Section(title, columns, cells)


class Page(NamedTuple):
    listing: Listing
    rows: list[list[Cell]]
    number: int
    previous: str  # addresses; empty: there is no such page
    following: str
    exports: dict[str, str]


def read_query(request: Request, *names: str) -> dict[str, str]:
    """The fields of the address, stripped; empty where there is none."""
    return {name: request.query_params.get(name, "").strip() for name in names}


def link(*segments: object, **query: object) -> str:
    """An address on this server, of the segments of a path and a query, all quoted."""
    path = "/" + "/".join(quote(str(segment), safe="") for segment in segments)
    return f"{path}?{urlencode(query)}" if query else path


def show_listing(request: Request, listing: Listing, template: str = "list.html", **values: Any) -> Response:
    """The page; or the rows as a file, if the address asks for one with `as`."""
    form = request.query_params.get("as", "")
    if form:
        return _export(request, listing, form)
    return get_console(request).render(request, template, page=build_page(request, listing), **values)


def build_page(request: Request, listing: Listing) -> Page:
    """Raises: BadInput: the page's number is not one."""
    number = read_page_number(request)
    start = (number - 1) * CONSOLE_PAGE_ROWS
    rows = list(islice(listing.rows, start, start + CONSOLE_PAGE_ROWS + 1))
    has_more = len(rows) > CONSOLE_PAGE_ROWS and number < MAX_PAGE
    cells = [[Cell.of(value) for value in row] for row in rows[:CONSOLE_PAGE_ROWS]]
    previous = _address(request, page=str(number - 1)) if number > 1 else ""
    following = _address(request, page=str(number + 1)) if has_more else ""
    exports = {form: _address(request, **{"as": form}) for form in EXPORTS}
    return Page(listing, cells, number, previous, following, exports)


def read_page_number(request: Request) -> int:
    """Raises: BadInput: there is no such page."""
    text = request.query_params.get("page", "1")
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_PAGE))
    if not (is_number and 1 <= int(text) <= MAX_PAGE):
        raise BadInput(f"page {text!r:.20}: must be a number from 1 to {MAX_PAGE}; use the filters to see other rows")
    return int(text)


def _address(request: Request, **changed: str) -> str:
    """The address of the request with other fields; on an export without its page."""
    query = {key: value for key, value in request.query_params.items() if value and key not in ("page", "as")}
    return f"{request.url.path}?{urlencode(query | changed)}"


def _export(request: Request, listing: Listing, form: str) -> Response:
    """All rows, up to MAX_CONSOLE_ROWS. Raises: BadInput: an unknown form."""
    if form not in EXPORTS:
        raise BadInput(f"as={form!r:.20}: must be one of {', '.join(EXPORTS)}")
    rows = [[Cell.of(value).text for value in row] for row in islice(listing.rows, MAX_CONSOLE_ROWS)]
    headers = {"Content-Disposition": f'attachment; filename="{_name_file(request)}.{form}"'}
    if form == "csv":
        return Response(_to_csv(listing.columns, rows), media_type="text/csv", headers=headers)
    return Response(_to_json(listing, rows), media_type="application/json", headers=headers)


def _name_file(request: Request) -> str:
    """`cascan-scans-abc`, of the path, without what a header or a file system may take for something else."""
    name = "-".join(["cascan", *filter(None, request.url.path.split("/"))])
    return "".join(c if c.isascii() and (c.isalnum() or c in "-.") else "_" for c in name)


def _to_csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([escape_formula(value) for value in row] for row in rows)
    return text.getvalue()


def _to_json(listing: Listing, rows: Iterable[Sequence[str]]) -> str:
    names = [_to_name(column) for column in listing.columns]
    return json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=2)


def _to_name(column: str) -> str:
    """`First seen` → `firstSeen`."""
    name = "".join(column.title().split())
    return name[:1].lower() + name[1:]
