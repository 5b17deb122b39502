"""`cascan diff`: show what changed since earlier scans, or between two scans."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cascan_cli.commands.diff_since import print_differences
from cascan_cli.commands.export_findings import check_export_options, read_changes, write_records
from cascan_cli.errors import BadInput
from cascan_cli.output.scan import scan_exit_code
from cascan_cli.output.table import print_table
from cascan_cli.output.text import pluralize, print_json, print_message
from cascan_cli.stack.find_scan import find_scan
from cascan_cli.stack.open import StackGateways, open_stack

if TYPE_CHECKING:
    from cascan.model.inventory import Change, Sighting
    from cascan.model.scan import Scan

COLUMNS = ("CHANGE", "ADDRESS", "NAME", "PORT", "BEFORE", "NOW", "LAST SEEN OTHERWISE")
LATEST = "latest"


def run(args: Namespace) -> int:
    """Returns the exit code of the scan; of two scans, the worse one."""
    check_export_options(args)
    with open_stack(args) as stack:
        if args.since:
            return print_differences(args, stack)
        scan = find_scan(stack.table, args.scan or LATEST)
        compared = _compare_scans(scan, args, stack) if args.other else _read_changes(scan, stack)
        if args.form:
            _export(scan, compared, args, stack)
    changes, skipped = compared.changes, compared.skipped
    without_baseline = [change for change in changes if not change.is_baseline]
    shown = changes if args.all else without_baseline
    if args.json:
        print_json([_to_json(change) for change in shown])
    elif not args.form:
        print_table(COLUMNS, map(_row, shown), drop=("LAST SEEN OTHERWISE", "NAME"), whole=("ADDRESS",))
    for skipped_scan, reason in skipped:
        print_message(f"scan {skipped_scan.scan_id} ({skipped_scan.name}) cannot be compared: {reason}")
    if not skipped:
        _print_summary(scan, without_baseline, len(changes), lists_all=args.all)
    return max(map(scan_exit_code, compared.scans))


def _export(scan: Scan, compared: _Compared, args: Namespace, stack: StackGateways) -> None:
    """Write the changes as `--as` says; without --all without first observations."""
    from cascan.formats.change_records import select_change_records

    # The changes of members are by vantage
    by_vantage = [(scan.vantage, iter(compared.changes))] if args.other else read_changes(scan, stack.table)
    records = (
        record
        for vantage, changes in by_vantage
        for record in select_change_records(
            (change for change in changes if args.all or not change.is_baseline), stack.table, vantage=vantage
        )
    )
    ids = " and ".join(other.scan_id for other in compared.scans)
    write_records(records, args, title=f"{scan.name}, changes of scan {ids}")


@dataclass(frozen=True, slots=True)
class _Compared:
    """Scans and what changed; `skipped`: scans without a result to compare, and why."""

    scans: list[Scan]
    changes: list[Change]
    skipped: list[tuple[Scan, str]]


def _compare_scans(scan: Scan, args: Namespace, stack: StackGateways) -> _Compared:
    """Compare the reports of two scans. Raises: BadInput: both names mean the same scan."""
    other = find_scan(stack.table, args.other)
    if other.scan_id == scan.scan_id:
        raise BadInput(f"{args.scan!r} and {args.other!r} are the same scan, {scan.scan_id}")
    scans = [other, scan]
    skipped = _find_incomparable(scans)
    changes = [] if skipped else list(_compare_reports(other, scan, stack))
    return _Compared(scans, changes, skipped)


def _read_changes(scan: Scan, stack: StackGateways) -> _Compared:
    """The changes that were recorded with the scan: since the last scans that covered the same."""
    scans = [scan]
    if scan.members:  # each was compared within its vantage
        scans = [member for member in map(stack.table.get_scan, scan.members) if member]
    changes = [
        change
        for changed in scans
        for number in range(changed.shards)
        for change in stack.table.changes(changed.scan_id, number)
    ]
    return _Compared([scan], changes, [] if changes else _find_incomparable([scan]))


def _find_incomparable(scans: list[Scan]) -> list[tuple[Scan, str]]:
    """The scans without a result, and why: "nothing changed" would be wrong for them."""
    reasons = ((scan, _why_no_result(scan)) for scan in scans)
    return [(scan, reason) for scan, reason in reasons if reason]


def _why_no_result(scan: Scan) -> str:
    """Why the scan has no result yet; empty if it has one, even a partial one."""
    from cascan.model.scan import FINAL_STATES, Outcome

    if not scan.shards:
        return f"the request was refused: {scan.error_description}"
    if scan.state not in FINAL_STATES and scan.shards_open == scan.shards:
        return "none of its shards has ended yet"
    answered = sum(count for outcome, count in scan.shard_outcomes.items() if outcome != Outcome.FAILED)
    if answered:
        return ""
    reason = f": {scan.error_description}" if scan.error_description else ""
    return f"the scan is {scan.state}, and none of its shards has a result{reason}"


def _compare_reports(one: Scan, other: Scan, stack: StackGateways) -> Iterator[Change]:
    """What changed from the earlier to the later of two scans, according to their reports."""
    from cascan.inventory.compare import Comparison  # imports the report readers

    earlier, later = sorted((one, other), key=lambda scan: (scan.requested_at, scan.scan_id))
    comparison = Comparison()
    for scan in (earlier, later):
        for change in _add_reports(comparison, scan, stack):
            if scan is later:
                yield change


def _add_reports(comparison: Any, scan: Scan, stack: StackGateways) -> Iterator[Change]:
    from cascan.errors import MalformedMessage, UnreadableReport
    from cascan.ids import ReportKey

    for shard in stack.table.shards(scan.scan_id):
        if shard.run is None:
            continue
        key = ReportKey(scan.scan_id, shard.number, shard.attempt)
        try:
            with closing(stack.reports.open_report(key)) as report:
                yield from comparison.add(shard, report)
        except (MalformedMessage, UnreadableReport) as exc:
            print_message(f"shard {shard.number} of scan {scan.scan_id} is left out: {exc}")


def _row(change: Change) -> tuple[object, ...]:
    port = f"{change.protocol}/{change.port}" if change.port is not None else ""
    before = _format_observation(change.before) if change.before else "never covered"
    since = change.before.seen_at.strftime("%Y-%m-%dT%H:%M:%SZ") if change.before else ""
    return (
        change.kind,
        change.address,
        change.hostname,
        port,
        before,
        _format_observation(change.after),
        since,
    )


def _format_observation(sighting: Sighting) -> str:
    return " ".join(filter(None, (sighting.state, sighting.service, sighting.product, sighting.version)))


def _to_json(change: Change) -> dict[str, Any]:
    import msgspec  # only JSON output needs it

    return {"baseline": change.is_baseline, **msgspec.to_builtins(change)}


def _print_summary(scan: Scan, changes: list[Change], total: int, *, lists_all: bool) -> None:
    """`changes`: without first observations; `total`: with them."""
    counts = Counter(str(change.kind) for change in changes)
    summary = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())) or "nothing changed"
    baselines = total - len(changes)
    if baselines:
        hint = "" if lists_all else " (--all lists them)"
        summary += f"; {pluralize(baselines, 'first observation')} of what no scan had covered before{hint}"
    print_message(f"scan {scan.scan_id} ({scan.name}): {summary}")
    if scan.shards_open:
        print_message(f"{scan.shards_open} of its {scan.shards} shards are still open")
