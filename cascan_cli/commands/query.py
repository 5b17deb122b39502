"""`cascan query`: SQL over findings, the inventory, exposures and scans."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from cascan.formats.first_seen import add_first_seen
from cascan.formats.select_records import select_current_records, select_scan_records
from cascan.formats.series_records import Series
from cascan.limits import MAX_SCANS_FILTERED
from cascan.queries.finding_query import FindingQuery
from cascan_cli.errors import BadInput
from cascan_cli.input.text_file import STDIN, read_text_file
from cascan_cli.output.export_file import write_document
from cascan_cli.output.text import print_message
from cascan_cli.query.database import MAX_RESULT_ROWS, MAX_TABLE_ROWS, RESULT, Database, open_database
from cascan_cli.query.parquet import PARQUET, check_output, write_parquet_file
from cascan_cli.query.render import RENDERERS, print_result
from cascan_cli.query.rows import read_exposure_rows, read_finding_rows, read_inventory_rows, read_scan_rows
from cascan_cli.query.statement import MAX_SQL_CHARS, check_statement, list_tables
from cascan_cli.query.tables import EXPOSURES, FINDINGS, INVENTORY, SCANS, TABLES
from cascan_cli.stack.find_scan import find_scan
from cascan_cli.stack.open import StackGateways, open_stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cascan.formats.records import Record
    from cascan_cli.query.rows import Row

EXIT_PARTIAL = 1


def run(args: Namespace) -> int:
    """Exit code 1: there were more rows than a table or a result may have."""
    form = "json" if args.json else args.form
    _check_options(args, form)
    sql = check_statement(_read_sql(args))
    with open_database() as database:
        is_complete = _fill(database, list_tables(sql), args)
        database.lock()
        if form == PARQUET:
            database.store_result(sql)
            write_parquet_file(database.write_parquet(RESULT), args.output)
            return 0 if is_complete else EXIT_PARTIAL
        with database.run(sql) as result:
            if form:
                write_document(RENDERERS[form](result), args.output)
            else:
                print_result(result)
    if result.is_cut:
        print_message(f"only the first {MAX_RESULT_ROWS:,} rows are written: add a LIMIT, or group more")
    return 0 if is_complete and not result.is_cut else EXIT_PARTIAL


def _check_options(args: Namespace, form: str) -> None:
    """Raises: BadInput: options that contradict each other, or have no effect."""
    if args.json and args.form:
        raise BadInput(f"--json and --as {args.form} contradict each other; use one of them")
    if args.output and not form:
        raise BadInput("-o needs --as FORMAT")
    if args.scan and args.series:
        raise BadInput("--scan and --series exclude each other: both select the findings")
    if bool(args.sql) == bool(args.file):
        raise BadInput("give the SQL as one argument, in quotes, or in a file with -f; see: cascan query --help")
    if form == PARQUET:
        check_output(args.output)


def _read_sql(args: Namespace) -> str:
    if args.file or args.sql == STDIN:
        return read_text_file(args.file or STDIN, MAX_SQL_CHARS)
    return str(args.sql)


def _fill(database: Database, tables: Sequence[str], args: Namespace) -> bool:
    """Read these tables from the stack. False: one of them has more rows than a query can use."""
    if not tables:
        return True
    is_complete = True
    with open_stack(args) as stack:
        for name in tables:
            if not database.add(TABLES[name], _read_rows(name, args, stack)):
                print_message(f"only the first {MAX_TABLE_ROWS:,} rows of {name} are looked at")
                is_complete = False
    return is_complete


def _read_rows(name: str, args: Namespace, stack: StackGateways) -> Iterator[Row]:
    table = stack.table
    match name:
        case FINDINGS.name:
            records = add_first_seen(_select_records(args, stack), table)
            return read_finding_rows(records, with_secrets=args.with_secrets)
        case INVENTORY.name:
            return read_inventory_rows(table)
        case EXPOSURES.name:
            return read_exposure_rows(table)
        case SCANS.name:
            return _read_scans(stack)
        case _:
            raise AssertionError(name)


def _select_records(args: Namespace, stack: StackGateways) -> Iterator[Record]:
    """The findings of a scan, of a series, or of what is open now."""
    everything = FindingQuery()
    if args.scan:
        return select_scan_records(stack.table, find_scan(stack.table, args.scan), everything)
    if not args.series:
        return select_current_records(stack.table, everything)
    series = Series(args.series, stack.table)
    if series.newest is None:
        raise BadInput(f"no scan of series {args.series!r} is Done; see cascan scans")
    return series.select_records(everything)


def _read_scans(stack: StackGateways) -> Iterator[Row]:
    count = 0
    for row in read_scan_rows(stack.table):
        count += 1
        yield row
    if count == MAX_SCANS_FILTERED:
        print_message(f"scans has the newest {MAX_SCANS_FILTERED:,}")
