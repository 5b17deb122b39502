"""`cascan report`: make an HTML report, or list, print or save the XML reports of a scan.

The reports of several shards are merged for printing.
"""

from __future__ import annotations

import shutil
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from cascan.clock import utc_now
from cascan.queries.finding_query import FindingQuery
from cascan.scans.merged_report import open_merged_report, select_reports
from cascan_cli.commands.export_findings import check_export_options, export_findings
from cascan_cli.errors import BadInput, CliError
from cascan_cli.output.export_file import STANDARD_OUTPUT, write_document
from cascan_cli.output.scan import print_reasons
from cascan_cli.output.table import print_table
from cascan_cli.output.text import print_json, print_message
from cascan_cli.stack.find_scan import find_ended_scan, find_scan
from cascan_cli.stack.open import StackGateways, open_stack

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from cascan.ids import ReportKey
    from cascan.model.scan import Scan

HTML = "html"


def run(args: Namespace) -> int:
    """Raises: BadInput: options that contradict each other, or no such scan."""
    _check_options(args)
    if args.form not in ("", HTML):
        return export_findings(FindingQuery(), args)
    with open_stack(args) as stack:
        scan = find_ended_scan(stack.table, args.series) if args.series else find_scan(stack.table, args.scan)
        if args.form:
            _write_html(scan, args, stack)
            return 0
        reports = _find_reports(scan, args.shard, stack)
        if args.out:
            _write_all(reports, args.out, stack)
        elif args.xml:
            _require_one_vantage(scan, stack)
            _print_xml(scan.scan_id, reports, stack)
        else:
            _list(reports, stack, as_json=args.json)
        print_reasons(scan)
    return 0


def _check_options(args: Namespace) -> None:
    if bool(args.scan) == bool(args.series):
        raise BadInput("give either SCAN or --series NAME; see: cascan report --help")
    check_export_options(args)
    if not args.form:
        return
    if args.out or args.shard is not None:
        raise BadInput(
            f"{'--out' if args.out else '--shard'} is about the XML reports; leave it out with --as {args.form}"
        )
    if args.form == HTML and args.output in ("", STANDARD_OUTPUT) and sys.stdout.isatty():
        raise BadInput("an HTML report is for a browser: add -o FILE")


def _write_html(scan: Scan, args: Namespace, stack: StackGateways) -> None:
    from cascan.html_report.build_report import build_report
    from cascan.html_report.render_report import render_report

    report = build_report(
        scan,
        stack.table,
        stack.cascades,
        now=utc_now(),
        of_series=bool(args.series),
        shows_secrets=args.with_secrets,
    )
    write_document(render_report(report), args.output)
    if args.output not in ("", STANDARD_OUTPUT):
        print_message(f"report of scan {scan.scan_id} ({scan.name}): {args.output}")


def _find_reports(scan: Scan, shard: int | None, stack: StackGateways) -> list[ReportKey]:
    """The recorded reports of the scan and its members, or only those of one shard number.

    Raises: CliError: there is none.
    """
    reports: list[ReportKey] = []
    for scan_id in scan.members or (scan.scan_id,):
        stored = stack.reports.report_keys(scan_id)
        reports += select_reports(stack.table.shards(scan_id), stored).values()
    if shard is not None:
        reports = [key for key in reports if key.shard == shard]
    if not reports:
        reason = scan.error_description or scan.reasons.sentence or scan.state
        raise CliError(f"scan {scan.scan_id} has no report: {reason}")
    return reports


def _require_one_vantage(scan: Scan, stack: StackGateways) -> None:
    """A host may look different from each vantage, so their reports are never merged into one.

    Raises: CliError: the scan has a member for each of several vantages.
    """
    if not scan.members:
        return
    members = filter(None, map(stack.table.get_scan, scan.members))
    commands = [f"cascan report {member.scan_id} --xml ({member.vantage})" for member in members]
    raise CliError(
        f"scan {scan.scan_id} looked from several vantages, and each has a report of its own: {', '.join(commands)}"
    )


def _list(keys: Iterable[ReportKey], stack: StackGateways, *, as_json: bool) -> None:
    if as_json:
        print_json([stack.uri(str(key)) for key in keys])
    else:
        rows = ((key.shard, stack.uri(str(key))) for key in keys)
        print_table(("SHARD", "REPORT"), rows, whole=("REPORT",))


def _print_xml(scan_id: str, reports: Sequence[ReportKey], stack: StackGateways) -> None:
    if len(reports) > 1:
        merged = open_merged_report(scan_id, table=stack.table, reports=stack.reports)
        sys.stdout.buffer.writelines(merged.chunks)
    else:
        (key,) = reports
        with stack.reports.open_report(key) as report:
            shutil.copyfileobj(report, sys.stdout.buffer)
    sys.stdout.flush()


def _write_all(keys: Iterable[ReportKey], folder: Path, stack: StackGateways) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for key in keys:
            path = folder / f"{key.scan_id}-{key.shard:06d}.xml"
            with stack.reports.open_report(key) as report, path.open("wb") as file:
                shutil.copyfileobj(report, file)
            print(path)
    except OSError as exc:
        raise CliError(f"{folder}: {exc.strerror}") from exc
