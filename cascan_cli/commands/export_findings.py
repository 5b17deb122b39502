"""`--as FORMAT`: write what a command selected in the format of another tool."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from cascan.clock import utc_now
from cascan.formats.change_records import select_change_records
from cascan.formats.first_seen import add_first_seen, select_dated_records
from cascan.formats.hub_product import read_product_of
from cascan.formats.records import Export
from cascan.formats.registry import render_records
from cascan.formats.select_records import select_current_records
from cascan.formats.series_records import Series
from cascan_cli.errors import BadInput
from cascan_cli.output.export_file import ExportProgress, write_document
from cascan_cli.output.scan import print_reasons, scan_exit_code
from cascan_cli.output.text import pluralize, print_message
from cascan_cli.stack.find_scan import find_scan
from cascan_cli.stack.open import describe_stack, open_stack
from cascan_cli.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cascan.formats.hub_product import HubProduct
    from cascan.formats.records import Record
    from cascan.gateways import ScanTable
    from cascan.model.inventory import Change
    from cascan.model.scan import Scan
    from cascan.queries.finding_query import FindingQuery
    from cascan_cli.stack.open import StackGateways

XML, PARQUET = "xml", "parquet"


def export_findings(query: FindingQuery, args: Namespace) -> int:
    """Write the findings of a scan, those of a series, or the current ones. Returns the exit code of the scan."""
    if args.form == XML and (args.now or args.series or args.changes):
        raise BadInput("--as xml is the report of one scan: give SCAN, and leave out --now, --series and --changes")
    with open_stack(args) as stack:
        if args.now:
            records = add_first_seen(select_current_records(stack.table, query), stack.table)
            write_records(records, args, title="current findings")
            return 0
        scan = _export_series(query, args, stack) if args.series else _export_scan(query, args, stack)
    if scan.error_description:
        print_message(f"scan {scan.scan_id}: {scan.error_description}")
    print_reasons(scan)
    return scan_exit_code(scan)


def _export_scan(query: FindingQuery, args: Namespace, stack: StackGateways) -> Scan:
    """Write the findings of `args.scan`, what it changed, or its reports. Returns it."""
    scan = find_scan(stack.table, args.scan)
    if args.form == XML:
        _export_xml(scan, query, args, stack)
        return scan
    if args.changes:
        records = _select_changes(stack.table, scan, query)
    else:
        records = select_dated_records(stack.table, scan, query)
    title = f"{scan.name}, {'changes of ' if args.changes else ''}scan {scan.scan_id}"
    write_records(records, args, title=title, vantage="" if scan.members else scan.vantage)
    return scan


def _export_xml(scan: Scan, query: FindingQuery, args: Namespace, stack: StackGateways) -> None:
    """Write the reports of the scan as one. Raises: BadInput: the selection cannot be written as XML."""
    from cascan.formats.nmap_xml import NmapXmlSelection  # imports the readers of reports
    from cascan.scans.merged_report import open_merged_report

    if scan.members:
        ids = ", ".join(scan.members)
        raise BadInput(
            f"scan {scan.scan_id} looked from several vantages; each of these has a report of its own: {ids}"
        )
    try:
        selection = NmapXmlSelection(query, shows_secrets=args.with_secrets)
    except ValueError as exc:
        raise BadInput(str(exc)) from exc
    merged = open_merged_report(scan.scan_id, table=stack.table, reports=stack.reports, editor=selection)
    if not merged.reports:
        raise BadInput(f"scan {scan.scan_id} has no report: {scan.error_description or scan.state}")
    write_document(merged.chunks, args.output)


def _export_series(query: FindingQuery, args: Namespace, stack: StackGateways) -> Scan:
    """Write what the series knows to be there. Returns its newest scan. Raises: BadInput: it has none that is Done."""
    series = Series(args.series, stack.table)
    if series.newest is None:
        raise BadInput(f"no scan of series {args.series!r} is Done; see cascan scans")
    write_records(add_first_seen(series.select_records(query), stack.table), args, title=f"series {args.series}")
    if series.unread:
        scans = pluralize(series.unread, "older scan")
        print_message(f"{scans} of series {args.series!r} not read: what they alone looked at is missing")
    return series.newest


def _select_changes(table: ScanTable, scan: Scan, query: FindingQuery) -> Iterator[Record]:
    """What the scan changed, except first observations, which have nothing to compare with."""
    for vantage, changes in read_changes(scan, table):
        compared = (change for change in changes if not change.is_baseline)
        for record in select_change_records(compared, table, vantage=vantage):
            if query.fits(record.finding):
                yield record


def read_changes(scan: Scan, table: ScanTable) -> Iterator[tuple[str, Iterator[Change]]]:
    """The changes that the scan recorded, by vantage; of a scan with members theirs."""
    members = filter(None, map(table.get_scan, scan.members)) if scan.members else [scan]
    for changed in members:
        for number in range(changed.shards):
            yield changed.vantage, table.changes(changed.scan_id, number)


def write_records(records: Iterable[Record], args: Namespace, *, title: str, vantage: str = "") -> None:
    """Write the records as `--as`, `-o` and `--with-secrets` say. Raises: BadInput: the file cannot be written."""
    progress = ExportProgress(args.output, "finding")
    if args.form == PARQUET:
        from cascan_cli.query.parquet import write_records_as_parquet

        with_secrets = args.with_secrets
        write_records_as_parquet(progress.count(records), args.output, with_secrets=with_secrets, progress=progress)
        return
    chunks = render_export(progress.count(records), args, title=title, vantage=vantage)
    write_document(chunks, args.output, progress)


def render_export(records: Iterable[Record], args: Namespace, *, title: str, vantage: str = "") -> Iterator[bytes]:
    """The document that `--as` and `--with-secrets` ask for."""
    export = Export(
        title=title,
        generated_at=utc_now(),
        version=VERSION,
        vantage=vantage,
        shows_secrets=args.with_secrets,
        hub_product=_find_hub_product(args),
    )
    return render_records(args.form, records, export)


def _find_hub_product(args: Namespace) -> HubProduct | None:
    """The product of the stack's account, which ASFF names in each finding. None: the account is not known."""
    stack = getattr(args, "stack", "")
    return read_product_of(describe_stack(stack)["StackId"]) if args.form == "asff" and stack else None


def check_export_options(args: Namespace) -> None:
    """Raises: BadInput: options that contradict each other, or have no effect."""
    if not args.form and (args.output or args.with_secrets):
        option = "-o" if args.output else "--with-secrets"
        hint = "; --xml prints on standard output" if getattr(args, "xml", False) else ""
        raise BadInput(f"{option} needs --as FORMAT{hint}")
    others = [option for option in ("json", "xml", "as_targets") if getattr(args, option, False)]
    if args.form and others:
        raise BadInput(f"--{others[0].replace('_', '-')} and --as {args.form} contradict each other; use one of them")
