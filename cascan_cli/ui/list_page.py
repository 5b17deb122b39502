"""One page of a list: which rows it has, and the addresses of the pages and files beside it."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from cascan.limits import CONSOLE_PAGE_ROWS, MAX_CONSOLE_ROWS, MAX_CONSOLE_SORTED
from cascan_cli.errors import BadInput
from cascan_cli.output.text import pluralize
from cascan_cli.ui.console import get_console
from cascan_cli.ui.list_files import export_rows, list_formats
from cascan_cli.ui.list_order import Column, build_column, read_order, sort_rows
from cascan_cli.ui.listing import Cell, Listing, build_address, to_cells, to_row

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from cascan.model.saved_filter import SavedFilter

MAX_PAGE = MAX_CONSOLE_ROWS // CONSOLE_PAGE_ROWS


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


def show_listing(request: Request, listing: Listing, template: str = "list.html", **values: Any) -> Response:
    """The page; or the rows as a file, if the address asks for one with `as`."""
    form = request.query_params.get("as", "")
    if form:
        return export_rows(request, listing, form)
    return get_console(request).render(request, template, page=build_page(request, listing), **values)


def build_page(request: Request, listing: Listing) -> Page:
    """Raises: BadInput: the page's number is not one, or there is no such column."""
    number, rows = read_page_number(request), listing.rows
    order = read_order(request, listing)
    if order:
        rows = sort_rows(listing, order, MAX_CONSOLE_SORTED)
    start = 0 if listing.is_behind and not order else (number - 1) * CONSOLE_PAGE_ROWS
    rows = list(islice(rows, start, start + CONSOLE_PAGE_ROWS + 1))
    has_more = len(rows) > CONSOLE_PAGE_ROWS and number < MAX_PAGE
    shown = list(map(to_row, rows[:CONSOLE_PAGE_ROWS]))
    place = shown[-1].place if shown and not order else ""
    previous = build_address(request, listing, page=str(number - 1)) if number > 1 else ""
    following = (
        build_address(request, listing, page=str(number + 1), **({"after": place} if place else {})) if has_more else ""
    )
    exports = {form: build_address(request, listing, **{"as": form}) for form in list_formats(listing)}
    return Page(
        listing=listing,
        columns=[build_column(request, listing, title, order) for title in listing.columns],
        rows=[to_cells(row) for row in shown],
        picks=[row.pick for row in shown] if listing.actions else [],
        number=number,
        previous=previous,
        following=following,
        exports=exports,
        path=listing.path or request.url.path,
        query=build_address(request, listing).partition("?")[2],
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


def read_place(request: Request) -> str:
    """The place after which the page begins. Empty: it begins where its number says; files begin at the top."""
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
