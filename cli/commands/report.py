"""`cascan report`: what nmap wrote, byte for byte."""

from __future__ import annotations

import shutil
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from cli.access import Access, access
from cli.errors import BadInput, CliError
from cli.lookup import find_scan
from cli.show import print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cascan.ids import ReportKey


def run(args: Namespace) -> int:
    with access(args) as stack:
        scan = find_scan(stack.table, args.scan)
        newest = {key.shard: key for key in stack.reports.report_keys(scan.scan_id)}  # the last attempt of each shard
        if args.shard is not None:
            newest = {shard: key for shard, key in newest.items() if shard == args.shard}
        if not newest:
            raise CliError(f"scan {scan.scan_id} has no report: {scan.error_description or scan.state}")
        if args.out:
            _write_all(newest.values(), args.out, stack)
        elif args.xml:
            _print(newest, stack)
        elif args.json:
            print_json([stack.uri(str(key)) for key in newest.values()])
        else:
            print_table(("SHARD", "REPORT"), ((key.shard, stack.uri(str(key))) for key in newest.values()))
    return 0


def _print(newest: dict[int, ReportKey], stack: Access) -> None:
    if len(newest) > 1:
        raise BadInput(
            f"the scan has {len(newest)} reports: choose one with --shard N, or write them all with --out DIR"
        )
    (key,) = newest.values()
    with stack.reports.open_report(key) as report:
        shutil.copyfileobj(report, sys.stdout.buffer)
    sys.stdout.flush()


def _write_all(keys: Iterable[ReportKey], folder: Path, stack: Access) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for key in keys:
            path = folder / f"{key.scan_id}-{key.shard:06d}.xml"
            with stack.reports.open_report(key) as report, path.open("wb") as file:
                shutil.copyfileobj(report, file)
            print(path)
    except OSError as exc:
        raise CliError(f"{folder}: {exc.strerror}") from exc
