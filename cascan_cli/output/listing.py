"""A list of things of one kind: as a table in a terminal, as JSON, or in a format of tables with `--as FORMAT`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from cascan_cli.errors import BadInput
from cascan_cli.output.table import print_table
from cascan_cli.output.text import print_json_list

T = TypeVar("T")
JSON = "json"


@dataclass(frozen=True, kw_only=True)
class Listing(Generic[T]):
    """What is listed, and how it is shown. `drop`, `whole`, `optional`, `comfort` are those of `print_table`."""

    title: str  # of a document
    items: Iterable[T]  # they are printed as they come
    columns: Sequence[str]
    to_row: Callable[[T], Sequence[object]]
    to_json: Callable[[T], Any]
    to_full_row: Callable[[T], Sequence[object]] | None = None  # of a document, if a terminal's row is shortened
    unit: str = "row"  # what an item is
    drop: Sequence[str] = ()
    whole: Sequence[str] = ()
    optional: Sequence[str] = ()
    comfort: Mapping[str, int] = field(default_factory=dict)


def check_listing_options(args: Namespace) -> None:
    """Raises: BadInput: options that contradict each other, or have no effect."""
    if args.json and args.form not in ("", JSON):
        raise BadInput(f"--json and --as {args.form} contradict each other; use one of them")
    if args.output and not args.form and not args.json:
        raise BadInput("-o needs --as FORMAT")


def print_listing(listing: Listing[T], args: Namespace) -> None:
    """Print or write the list as `--json`, `--as` and `-o` say. Raises: BadInput: the file cannot be written."""
    if args.form or args.output:
        _write(listing, args)
    elif args.json:
        print_json_list(map(listing.to_json, listing.items))
    else:
        print_table(
            listing.columns,
            map(listing.to_row, listing.items),
            drop=listing.drop,
            whole=listing.whole,
            optional=listing.optional,
            comfort=listing.comfort,
        )


def _write(listing: Listing[T], args: Namespace) -> None:
    from cascan.clock import utc_now  # imported here: most lists are printed
    from cascan.formats.records import Export
    from cascan.formats.table import TableRow, render_table
    from cascan_cli.output.export_file import ExportProgress, write_document
    from cascan_cli.version import VERSION

    to_row = listing.to_full_row or listing.to_row
    progress = ExportProgress(args.output, listing.unit)
    rows = (TableRow(to_row(item), listing.to_json(item)) for item in progress.count(listing.items))
    export = Export(title=listing.title, generated_at=utc_now(), version=VERSION)
    write_document(render_table(args.form or JSON, listing.columns, rows, export), args.output, progress)
