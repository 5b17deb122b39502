"""The rows of a list as a file, and what they are about in the formats of findings."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

from starlette.responses import Response, StreamingResponse

from cascan.formats.records import Export, Record
from cascan.formats.registry import FORMATS, TABLE_FORMATS, find_format, render_records
from cascan.formats.table import TableRow, render_table
from cascan.limits import MAX_CONSOLE_ROWS
from cascan_cli.errors import BadInput
from cascan_cli.ui.console import get_console
from cascan_cli.ui.list_order import read_order, sort_rows, to_name
from cascan_cli.ui.listing import Listing, to_cells
from cascan_cli.version import VERSION

if TYPE_CHECKING:
    from starlette.requests import Request


def list_formats(listing: Listing) -> list[str]:
    return [name for name in FORMATS if name in TABLE_FORMATS or listing.records]


def export_rows(request: Request, listing: Listing, form: str) -> Response:
    """All rows, up to MAX_CONSOLE_ROWS; in a format of findings, what they are about.

    Raises: BadInput: an unknown form or column.
    """
    formats = list_formats(listing)
    if form not in formats:
        raise BadInput(f"as={form!r:.20}: must be one of {', '.join(formats)}")
    if form not in TABLE_FORMATS and listing.records:
        return send_records(request, listing.title, listing.records(), form)
    order = read_order(request, listing)
    listed = sort_rows(listing, order, MAX_CONSOLE_ROWS) if order else islice(listing.rows, MAX_CONSOLE_ROWS)
    names = [to_name(column) for column in listing.columns]
    texts = ([cell.text for cell in to_cells(row)] for row in listed)
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
