"""A list on a page: its filters, its rows, its paging, and the same rows as a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode

from starlette.responses import Response, StreamingResponse

from cascan.formats.records import Export, Record
from cascan.formats.registry import FORMATS, TABLE_FORMATS, find_format, render_records
from cascan.formats.table import TableRow, render_table
from cascan.limits import CONSOLE_PAGE_ROWS, MAX_CONSOLE_ROWS, MAX_CONSOLE_SORTED
from cascan_cli.errors import BadInput
from cascan_cli.output.text import pluralize
from cascan_cli.ui.console import get_console
from cascan_cli.version import VERSION

if TYPE_CHECKING:
    from starlette.requests import Request

    from cascan.model.saved_filter import SavedFilter

SEVERITY_RANKS = {"CRITICAL": 0, "HIGH": 1, "MEDIUM": 2, "LOW": 3, "INFORMATIONAL": 4}
NUMBER = re.compile("([0-9]+)")
MAX_PAGE = MAX_CONSOLE_ROWS // CONSOLE_PAGE_ROWS
UNKEPT = ("page", "after", "as")  # fields of an address that say which part of the list it shows


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
    unset: str = "any"  # the choice that leaves it out; empty: one of the others is always chosen


class Row(NamedTuple):
    """`place`: a later page reads the rows behind it, without those before. `pick`: names it to an action."""

    cells: Sequence[object]
    place: str = ""
    pick: str = ""


class Action(NamedTuple):
    """A button below a list, for the rows that a person picks. `fields`: what it asks for."""

    name: str
    label: str
    fields: tuple[ActionField, ...] = ()


class ActionField(NamedTuple):
    name: str
    label: str
    kind: str = "text"  # of the input element


@dataclass
class Listing:
    """`rows`: as many as are needed are read. With `is_behind` the first of them is the first of the page.

    `records`: what the rows are about, for formats of findings; without it there are those of tables alone.
    """

    title: str
    columns: tuple[str, ...]
    rows: Iterable[Sequence[object] | Row]
    filters: tuple[Filter, ...] = ()
    empty: str = "Nothing matches."
    notes: list[str] = field(default_factory=list)
    is_behind: bool = False
    records: Callable[[], Iterable[Record]] | None = None
    actions: tuple[Action, ...] = ()


class Section(NamedTuple):
    """A further list on a page, which is not paged or exported."""

    title: str
    columns: tuple[str, ...]
    rows: list[list[Cell]]


def make_section(title: str, columns: tuple[str, ...], rows: Iterable[Sequence[object]]) -> Section:
    """The first CONSOLE_PAGE_ROWS rows."""
    cells = [[Cell.of(value) for value in row] for row in islice(rows, CONSOLE_PAGE_ROWS)]
    return Section(title, columns, cells)


class Column(NamedTuple):
    """The head of a column. Its link sorts the list by it, or turns the order around."""

    title: str
    name: str
    href: str
    order: str = ""  # `ascending`, `descending`; empty: the list is not sorted by it


class Page(NamedTuple):
    listing: Listing
    columns: list[Column]
    rows: list[list[Cell]]
    picks: list[str]  # of the rows; empty: there is nothing to pick
    number: int
    previous: str  # addresses; empty: there is no such page
    following: str
    exports: dict[str, str]
    path: str
    query: str  # of the address: the filters and the order
    saved: list[SavedFilter]
    sort: str  # the field of the address; empty: the list is as it was read
    status: str  # how many rows are shown, in one sentence


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
    """Raises: BadInput: the page's number is not one, or there is no such column."""
    number, rows = read_page_number(request), listing.rows
    order = _read_order(request, listing)
    if order:
        rows = _sort(listing, order, MAX_CONSOLE_SORTED)
    start = 0 if listing.is_behind and not order else (number - 1) * CONSOLE_PAGE_ROWS
    rows = list(islice(rows, start, start + CONSOLE_PAGE_ROWS + 1))
    has_more = len(rows) > CONSOLE_PAGE_ROWS and number < MAX_PAGE
    shown = list(map(_to_row, rows[:CONSOLE_PAGE_ROWS]))
    place = shown[-1].place if shown and not order else ""
    previous = _address(request, page=str(number - 1)) if number > 1 else ""
    following = _address(request, page=str(number + 1), **({"after": place} if place else {})) if has_more else ""
    exports = {form: _address(request, **{"as": form}) for form in _list_formats(listing)}
    return Page(
        listing=listing,
        columns=[_build_column(request, title, order) for title in listing.columns],
        rows=[_to_cells(row) for row in shown],
        picks=[row.pick for row in shown] if listing.actions else [],
        number=number,
        previous=previous,
        following=following,
        exports=exports,
        path=request.url.path,
        query=_address(request).partition("?")[2],
        saved=_list_saved(request, listing),
        sort=request.query_params.get("sort", ""),
        status=_describe_rows(number, len(shown), has_more=has_more),
    )


def _list_saved(request: Request, listing: Listing) -> list[SavedFilter]:
    """Those of the page, if it is one with filters that is in the navigation."""
    page = request.url.path.strip("/")
    if not listing.filters or "/" in page or request.headers.get("hx-request"):  # a list alone is replaced
        return []
    return get_console(request).stack.table.list_saved_filters(page)


def _describe_rows(number: int, count: int, *, has_more: bool) -> str:
    if number == 1 and not has_more:
        return f"{pluralize(count, 'row')}."
    if not count:
        return "No rows."
    first = (number - 1) * CONSOLE_PAGE_ROWS + 1
    more = "; more follow" if has_more else ""
    return f"Rows {first:,} to {first + count - 1:,}{more}."


# ---- the order of a list


class _Order(NamedTuple):
    column: int
    is_descending: bool


def _read_order(request: Request, listing: Listing) -> _Order | None:
    """None: as the list is read. Raises: BadInput: there is no such column."""
    text = request.query_params.get("sort", "")
    if not text:
        return None
    names = [_to_name(title) for title in listing.columns]
    if text.removeprefix("-") not in names:
        raise BadInput(f"sort {text!r:.40}: must be one of {', '.join(names)}, or one with a - in front")
    return _Order(names.index(text.removeprefix("-")), text.startswith("-"))


def _sort(listing: Listing, order: _Order, most: int) -> list[Row]:
    """The first rows, at most so many, in this order."""
    rows = iter(listing.rows)
    listed = list(map(_to_row, islice(rows, most)))
    if next(rows, None) is not None:
        listing.notes.append(f"Only the first {most:,} rows are sorted; use the filters to see others.")
    listed.sort(key=lambda row: _build_key(Cell.of(row.cells[order.column]).text), reverse=order.is_descending)
    return listed


def _build_key(text: str) -> list[tuple[int, int, str]]:
    """By numbers in the text as numbers, so that 10.0.0.9 is before 10.0.0.10; severities by their rank."""
    if text in SEVERITY_RANKS:
        return [(0, SEVERITY_RANKS[text], "")]
    parts = NUMBER.split(text.casefold())
    return [(1, int(part), "") if part.isdigit() else (2, 0, part) for part in parts if part]


def _build_column(request: Request, title: str, order: _Order | None) -> Column:
    name = _to_name(title)
    current = request.query_params.get("sort", "") if order else ""
    href = _address(request, sort=f"-{name}" if current == name else name)
    return Column(title, name, href, {name: "ascending", f"-{name}": "descending"}.get(current, ""))


# ---- addresses


def _to_row(row: Sequence[object] | Row) -> Row:
    return row if isinstance(row, Row) else Row(row)


def _to_cells(row: Sequence[object] | Row) -> list[Cell]:
    return [Cell.of(value) for value in _to_row(row).cells]


def read_place(request: Request) -> str:
    """The place behind which the page begins. Empty: its number says where, and files begin at the top."""
    query = request.query_params
    is_whole = query.get("as") or query.get("sort") or query.get("page", "1") == "1"
    return "" if is_whole else query.get("after", "")


def count_needed(request: Request) -> int:
    """How many rows the page or the file needs, and one more. Raises: BadInput: there is no such page."""
    if request.query_params.get("as"):
        return MAX_CONSOLE_ROWS
    if request.query_params.get("sort"):
        return MAX_CONSOLE_SORTED + 1
    pages = 1 if read_place(request) else read_page_number(request)
    return pages * CONSOLE_PAGE_ROWS + 1


def read_page_number(request: Request) -> int:
    """Raises: BadInput: there is no such page."""
    text = request.query_params.get("page", "1")
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_PAGE))
    if not (is_number and 1 <= int(text) <= MAX_PAGE):
        raise BadInput(f"page {text!r:.20}: must be a number from 1 to {MAX_PAGE}; use the filters to see other rows")
    return int(text)


def _address(request: Request, **changed: str) -> str:
    """The address of the request with other fields; on an export without its page."""
    query = {key: value for key, value in request.query_params.items() if value and key not in UNKEPT}
    return f"{request.url.path}?{urlencode(query | changed)}"


# ---- files


def _list_formats(listing: Listing) -> list[str]:
    return [name for name in FORMATS if name in TABLE_FORMATS or listing.records]


def _export(request: Request, listing: Listing, form: str) -> Response:
    """All rows, up to MAX_CONSOLE_ROWS; in a format of findings, what they are about.

    Raises: BadInput: an unknown form or column.
    """
    formats = _list_formats(listing)
    if form not in formats:
        raise BadInput(f"as={form!r:.20}: must be one of {', '.join(formats)}")
    if form not in TABLE_FORMATS and listing.records:
        return send_records(request, listing.title, listing.records(), form)
    order = _read_order(request, listing)
    listed = _sort(listing, order, MAX_CONSOLE_ROWS) if order else islice(listing.rows, MAX_CONSOLE_ROWS)
    names = [_to_name(column) for column in listing.columns]
    texts = ([cell.text for cell in _to_cells(row)] for row in listed)
    rows = [TableRow(row, dict(zip(names, row, strict=True))) for row in texts]
    document = render_table(form, listing.columns, rows, _describe_export(request, listing.title))
    return Response(b"".join(document), headers=_name_file(request, form))


def send_records(request: Request, title: str, records: Iterable[Record], form: str) -> Response:
    """The records in a format of findings, without secrets, as they are read. Raises: BadInput: an unknown form."""
    try:
        headers = _name_file(request, form)
    except ValueError as exc:
        raise BadInput(str(exc)) from exc
    return StreamingResponse(render_records(form, records, _describe_export(request, title)), headers=headers)


def _describe_export(request: Request, title: str) -> Export:
    return Export(title=title, generated_at=get_console(request).clock(), version=VERSION)


def _name_file(request: Request, form: str) -> dict[str, str]:
    """`cascan-scans-abc.csv`, of the path, without what a header or a file system may take for something else.

    Raises: ValueError: there is no such format.
    """
    listed = find_format(form)
    name = "-".join(["cascan", *filter(None, request.url.path.split("/"))])
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-.") else "_" for c in name)
    disposition = f'attachment; filename="{safe.replace("cascan-scans-", "cascan-scan-")}{listed.suffix}"'
    return {"Content-Disposition": disposition, "Content-Type": listed.media_type}


def _to_name(column: str) -> str:
    """`First seen` → `firstSeen`."""
    name = "".join(column.title().split())
    return name[:1].lower() + name[1:]
