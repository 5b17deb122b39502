"""`cascan findings … --as FORMAT`: write a selection of findings in the format of another tool."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from cascan.clock import utc_now
from cascan.formats.records import Export
from cascan.formats.registry import render_records
from cascan.formats.select_records import select_current_records, select_scan_records
from cascan_cli.errors import BadInput
from cascan_cli.output.export_file import write_document
from cascan_cli.output.scan import print_reasons, scan_exit_code
from cascan_cli.output.text import print_message
from cascan_cli.stack.find_scan import find_scan
from cascan_cli.stack.open import open_stack
from cascan_cli.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cascan.formats.records import Record
    from cascan.queries.finding_query import FindingQuery


def export_findings(query: FindingQuery, args: Namespace) -> int:
    """Write the findings of `args.scan`, or with --now the current ones. Returns the exit code of the scan."""
    with open_stack(args) as stack:
        if args.now:
            write_records(select_current_records(stack.table, query), args, title="current findings")
            return 0
        scan = find_scan(stack.table, args.scan)
        records = select_scan_records(stack.table, scan, query)
        title = f"{scan.name}, scan {scan.scan_id}"
        write_records(records, args, title=title, vantage="" if scan.members else scan.vantage)
    if scan.error_description:
        print_message(f"scan {scan.scan_id}: {scan.error_description}")
    print_reasons(scan)
    return scan_exit_code(scan)


def write_records(records: Iterable[Record], args: Namespace, *, title: str, vantage: str = "") -> None:
    """Write the records as `--as`, `-o` and `--with-secrets` say. Raises: BadInput: the file cannot be written."""
    export = Export(
        title=title,
        generated_at=utc_now(),
        version=VERSION,
        vantage=vantage,
        shows_secrets=args.with_secrets,
    )
    write_document(render_records(args.form, records, export), args.output)


def check_export_options(args: Namespace) -> None:
    """Raises: BadInput: options that contradict each other, or have no effect."""
    if not args.form and (args.output or args.with_secrets):
        option = "-o" if args.output else "--with-secrets"
        raise BadInput(f"{option} needs --as FORMAT")
    others = [option for option in ("json", "xml", "as_targets") if getattr(args, option, False)]
    if args.form and others:
        raise BadInput(f"--{others[0].replace('_', '-')} and --as {args.form} contradict each other; use one of them")
