"""A list on a page, as a page describes it: its columns, rows, filters and actions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlencode

from cascan.limits import CONSOLE_PAGE_ROWS

if TYPE_CHECKING:
    from starlette.requests import Request

    from cascan.formats.records import Record

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
    path: str = ""  # of its page; empty: that of the request, which a live part has not


class Section(NamedTuple):
    """A further list on a page, which is not paged or exported."""

    title: str
    columns: tuple[str, ...]
    rows: list[list[Cell]]


def make_section(title: str, columns: tuple[str, ...], rows: Iterable[Sequence[object]]) -> Section:
    """The first CONSOLE_PAGE_ROWS rows."""
    cells = [[Cell.of(value) for value in row] for row in islice(rows, CONSOLE_PAGE_ROWS)]
    return Section(title, columns, cells)


def to_row(row: Sequence[object] | Row) -> Row:
    return row if isinstance(row, Row) else Row(row)


def to_cells(row: Sequence[object] | Row) -> list[Cell]:
    return [Cell.of(value) for value in to_row(row).cells]


def read_query(request: Request, *names: str) -> dict[str, str]:
    """The fields of the address, stripped; empty where there is none."""
    return {name: request.query_params.get(name, "").strip() for name in names}


def link(*segments: object, **query: object) -> str:
    """An address on this server, of the segments of a path and a query, all quoted."""
    path = "/" + "/".join(quote(str(segment), safe="") for segment in segments)
    return f"{path}?{urlencode(query)}" if query else path


def build_address(request: Request, listing: Listing, **changed: str) -> str:
    """The address of the request with other fields; on an export without its page."""
    query = {key: value for key, value in request.query_params.items() if value and key not in UNKEPT}
    return f"{listing.path or request.url.path}?{urlencode(query | changed)}"
