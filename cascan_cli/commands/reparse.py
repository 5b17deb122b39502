"""`cascan reparse`: make the findings of ended scans anew from their stored reports.

Scans are done one after the other, and each is whole before the next begins.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from cascan.clock import to_wire, utc_now
from cascan.limits import MAX_SCANS_REPARSED
from cascan.model.scan import FINAL_STATES
from cascan.permissions.scope import Scope
from cascan.recovery.rebuild import NoBus
from cascan.recovery.reparse import Reparsed, find_reparse_refusal, reparse_scan
from cascan_cli.errors import BadInput
from cascan_cli.output.text import Progress, pluralize, print_json, print_message
from cascan_cli.stack.find_scan import find_scan
from cascan_cli.stack.open import StackGateways, open_stack
from cascan_cli.stack.rebuild_table import EVERYWHERE

if TYPE_CHECKING:
    from cascan.gateways import EventBus
    from cascan.model.scan import Counts, Scan

EXIT_PARTIAL = 1


def run(args: Namespace) -> int:
    """Exit code 0: every report was parsed. 1: some are gone or cannot be read.

    Raises: BadInput: no such scan, one that has not ended, or the user did not confirm.
    """
    if bool(args.scans) == bool(args.all or args.since):
        raise BadInput("name scans, or use --all or --since TIME")
    since = parse_time(args.since) if args.since else None
    with open_stack(args) as stack:
        scans = find_named_scans(args.scans, stack) if args.scans else find_all_scans(since, stack)
        if not args.scans and scans and not args.yes:
            _confirm(scans)
        results = list(_reparse_all(scans, stack, sends_events=args.events))
    if args.json:
        print_json(results)
    for result in results:
        _report(result, as_json=args.json)
    return EXIT_PARTIAL if any(result.problems for result in results) else 0


def parse_time(text: str) -> datetime:
    """Raises: BadInput: it cannot be read as a time."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as exc:
        raise BadInput(f"--since {text!r}: must be a date or a time, such as 2026-11-01 or 2026-11-01T08:00Z") from exc
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def find_named_scans(names: Sequence[str], stack: StackGateways) -> list[Scan]:
    """Raises: BadInput: one of them does not exist, has not ended, or has no reports; nothing was parsed."""
    named = [find_scan(stack.table, name) for name in names]
    scans = {scan.scan_id: scan for scan in _with_members(named, stack)}
    for scan in scans.values():
        if refusal := find_reparse_refusal(scan):
            raise BadInput(refusal)
    return list(scans.values())


def _with_members(scans: Iterable[Scan], stack: StackGateways) -> Iterator[Scan]:
    """The scans, each after its members."""
    for scan in scans:
        yield from filter(None, map(stack.table.get_scan, scan.members))
        yield scan


def find_all_scans(since: datetime | None, stack: StackGateways) -> list[Scan]:
    """The scans that can be parsed again, oldest first, those with members after all others."""
    scans = list(stack.table.list_scans(MAX_SCANS_REPARSED))
    if len(scans) == MAX_SCANS_REPARSED:
        oldest = to_wire(scans[-1].requested_at)
        print_message(f"only the {MAX_SCANS_REPARSED} latest scans are chosen, those since {oldest}")
    chosen = [scan for scan in scans if since is None or scan.requested_at >= since]
    suitable = [scan for scan in chosen if not find_reparse_refusal(scan)]
    running = sum(scan.state not in FINAL_STATES for scan in chosen)
    if running:
        print_message(f"{pluralize(running, 'scan')} left out: not ended yet")
    if not suitable:
        print_message("no scan that has ended has reports")
    suitable.reverse()
    return sorted(suitable, key=lambda scan: bool(scan.members))


def _confirm(scans: Sequence[Scan]) -> None:
    """Raises: BadInput: the user did not confirm."""
    count = pluralize(len(scans), "scan")
    if not sys.stdin.isatty():
        raise BadInput(f"this makes the findings of {count} anew: confirm with --yes")
    answer = input(f"Make the findings of {count} anew from their reports? [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise BadInput("nothing was parsed")


def _reparse_all(scans: Sequence[Scan], stack: StackGateways, *, sends_events: bool) -> Iterator[Reparsed]:
    from on_report_stored.parse_again import parse_again  # imports all report readers

    table, reports = stack.table, stack.reports
    bus: EventBus = stack.bus if sends_events else NoBus()
    scope = Scope.of(EVERYWHERE)
    with Progress() as progress:
        for number, scan in enumerate(scans, start=1):
            heading = f"scan {number} of {len(scans)} ({scan.name})"
            yield reparse_scan(
                scan,
                table=table,
                reports=reports,
                parse=partial(parse_again, scope=scope, table=table, reports=reports),
                publish=partial(_publish, stack),
                bus=bus,
                tell=partial(_show, progress, heading),
            )


def _publish(stack: StackGateways, scan: Scan, *, with_report: bool = True) -> Counts | None:
    """Publish the results of the scan again, the HTML report as well. None: the scan was removed meanwhile."""
    from on_scan_completed.publish import publish_again, publish_html

    counts = publish_again(scan, table=stack.table, reports=stack.reports, with_report=with_report)
    if counts is not None:
        publish_html(scan.scan_id, table=stack.table, cascades=stack.cascades, reports=stack.reports, clock=utc_now)
    return counts


def _show(progress: Progress, heading: str, done: int, reports: int) -> None:
    progress.show(f"parsing again: {heading}, {done} of {pluralize(reports, 'report')}")


def _report(result: Reparsed, *, as_json: bool) -> None:
    subject = f"scan {result.scan} ({result.name})"
    for problem in result.problems:
        print_message(f"{subject}: {problem}; its earlier findings stay")
    if not as_json:
        changed = f"{result.added} added, {result.removed} removed"
        reports, findings = pluralize(result.reports, "report"), pluralize(result.findings, "finding")
        print_message(f"{subject}: {findings} from {reports}; {changed}")
