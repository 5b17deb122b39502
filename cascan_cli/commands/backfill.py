"""`cascan history backfill`: make the history of ended scans from their stored reports."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from cascan.permissions.scope import Scope
from cascan.recovery.backfill_history import Backfilled, backfill_history
from cascan_cli.commands.reparse import find_all_scans, find_named_scans
from cascan_cli.errors import BadInput
from cascan_cli.input.moments import parse_since
from cascan_cli.output.text import Progress, pluralize, print_json, print_message
from cascan_cli.stack.open import StackGateways, open_stack
from cascan_cli.stack.rebuild_table import EVERYWHERE

if TYPE_CHECKING:
    from cascan.model.scan import Scan

EXIT_PARTIAL = 1


def run(args: Namespace) -> int:
    """Exit code 0: every report was read. 1: some are gone or cannot be read.

    Raises: BadInput: no such scan, or one that has not ended.
    """
    if args.scans and args.since:
        raise BadInput("name scans, or use --since DATE")
    since = parse_since(args.since)
    with open_stack(args) as stack:
        scans = find_named_scans(args.scans, stack) if args.scans else find_all_scans(since, stack)
        results = list(_backfill_all([scan for scan in scans if not scan.members], stack))
    if args.json:
        print_json(results)
    for result in results:
        _report(result, as_json=args.json)
    return EXIT_PARTIAL if any(result.problems for result in results) else 0


def _backfill_all(scans: Sequence[Scan], stack: StackGateways) -> Iterator[Backfilled]:
    from on_report_stored.parse_again import read_looks_again  # imports all report readers

    table, reports = stack.table, stack.reports
    read = partial(read_looks_again, scope=Scope.of(EVERYWHERE), table=table, reports=reports)
    with Progress() as progress:
        for number, scan in enumerate(scans, start=1):
            heading = f"scan {number} of {len(scans)} ({scan.name})"
            tell = partial(_show, progress, heading)
            yield backfill_history(scan, table=table, reports=reports, read=read, tell=tell)


def _show(progress: Progress, heading: str, done: int, reports: int) -> None:
    progress.show(f"reading the past: {heading}, {done} of {pluralize(reports, 'report')}")


def _report(result: Backfilled, *, as_json: bool) -> None:
    subject = f"scan {result.scan} ({result.name})"
    for problem in result.problems:
        print_message(f"{subject}: {problem}")
    if not as_json:
        reports = pluralize(result.reports, "report")
        print_message(f"{subject}: {pluralize(result.looks, 'look')} from {reports}")
