"""`cascan report`: what nmap wrote, byte for byte; of several shards, merged into one report."""

from __future__ import annotations

import shutil
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from cascan.scans.merged_report import open_merged_report, select_reports
from cascan_cli.errors import CliError
from cascan_cli.output.scan import print_reasons
from cascan_cli.output.table import print_table
from cascan_cli.output.text import print_json
from cascan_cli.stack.find_scan import find_scan
from cascan_cli.stack.open import StackGateways, open_stack

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cascan.ids import ReportKey


def run(args: Namespace) -> int:
    with open_stack(args) as stack:
        scan = find_scan(stack.table, args.scan)
        recorded = select_reports(stack.table.shards(scan.scan_id), stack.reports.report_keys(scan.scan_id))
        if args.shard is not None:
            recorded = {shard: key for shard, key in recorded.items() if shard == args.shard}
        if not recorded:
            why = scan.error_description or scan.reasons.sentence or scan.state
            raise CliError(f"scan {scan.scan_id} has no report: {why}")
        if args.out:
            _write_all(recorded.values(), args.out, stack)
        elif args.xml:
            _print(scan.scan_id, recorded, stack)
        elif args.json:
            print_json([stack.uri(str(key)) for key in recorded.values()])
        else:
            print_table(
                ("SHARD", "REPORT"), ((key.shard, stack.uri(str(key))) for key in recorded.values()), whole=("REPORT",)
            )
        print_reasons(scan)
    return 0


def _print(scan_id: str, recorded: dict[int, ReportKey], stack: StackGateways) -> None:
    if len(recorded) > 1:
        sys.stdout.buffer.writelines(open_merged_report(scan_id, table=stack.table, reports=stack.reports).pieces)
    else:
        (key,) = recorded.values()
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
