"""`cascan diff`: what a scan saw otherwise than the scans before it, or than one of them."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from cascan_cli.errors import BadInput
from cascan_cli.output.scan import scan_exit_code
from cascan_cli.output.table import print_table
from cascan_cli.output.text import print_json, print_message
from cascan_cli.stack.find_scan import find_scan
from cascan_cli.stack.open import StackGateways, open_stack

if TYPE_CHECKING:
    from cascan.model.inventory import Change, Sighting
    from cascan.model.scan import Scan

COLUMNS = ("CHANGE", "ADDRESS", "NAME", "PORT", "BEFORE", "NOW", "LAST SEEN OTHERWISE")
LATEST = "latest"


def run(args: Namespace) -> int:
    with open_stack(args) as stack:
        scan = find_scan(stack.table, args.scan or LATEST)
        if args.other:
            other = find_scan(stack.table, args.other)
            if other.scan_id == scan.scan_id:
                raise BadInput(f"{args.scan!r} and {args.other!r} are one scan, {scan.scan_id}")
            compared = [other, scan]
            without_answer = _without_answer(compared)
            changes = [] if without_answer else list(_between(other, scan, stack))
        else:
            compared = [scan]
            changes = [change for n in range(scan.shards) for change in stack.table.changes(scan.scan_id, n)]
            without_answer = [] if changes else _without_answer(compared)
    news = [change for change in changes if not change.is_baseline]
    shown = changes if args.all else news
    if args.json:
        print_json([_as_json(change) for change in shown])
    else:
        print_table(COLUMNS, map(_row, shown), drop=("LAST SEEN OTHERWISE", "NAME"), whole=("ADDRESS",))
    for one, why in without_answer:
        print_message(f"scan {one.scan_id} ({one.name}): nothing was compared: {why}")
    if not without_answer:
        _say_more(scan, news, changes, everything=args.all)
    return max(map(scan_exit_code, compared))


def _without_answer(scans: list[Scan]) -> list[tuple[Scan, str]]:
    """The scans that cannot be compared, and why: a scan without an answer is not one in which nothing changed."""
    reasons = ((scan, _why_no_answer(scan)) for scan in scans)
    return [(scan, reason) for scan, reason in reasons if reason]


def _why_no_answer(scan: Scan) -> str:
    """Empty: it has one, in part at least."""
    from cascan.model.scan import FINAL_STATES, Outcome

    if not scan.shards:
        return f"the request was refused: {scan.error_description}"
    if scan.state not in FINAL_STATES and scan.shards_open == scan.shards:
        return "no part of the scan has ended yet"
    answered = sum(count for outcome, count in scan.shard_outcomes.items() if outcome != Outcome.FAILED)
    if answered:
        return ""
    why = f": {scan.error_description}" if scan.error_description else ""
    return f"the scan is {scan.state}, and no part of it has an answer{why}"


def _between(one: Scan, other: Scan, stack: StackGateways) -> Iterator[Change]:
    """What changed from the earlier of the two scans to the later one, by their reports."""
    from cascan.inventory.compare import Comparison  # reading reports is for who compares two scans

    earlier, later = sorted((one, other), key=lambda scan: (scan.requested_at, scan.scan_id))
    comparison = Comparison()
    for scan in (earlier, later):
        for change in _read(comparison, scan, stack):
            if scan is later:
                yield change


def _read(comparison: Any, scan: Scan, stack: StackGateways) -> Iterator[Change]:
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
    before = _seen(change.before) if change.before else "never covered"
    since = change.before.seen_at.strftime("%Y-%m-%dT%H:%M:%SZ") if change.before else ""
    return change.kind, change.address, change.hostname, port, before, _seen(change.after), since


def _seen(sighting: Sighting) -> str:
    return " ".join(filter(None, (sighting.state, sighting.service, sighting.product, sighting.version)))


def _as_json(change: Change) -> dict[str, Any]:
    import msgspec  # only who asks for JSON

    return {"baseline": change.is_baseline, **msgspec.to_builtins(change)}


def _say_more(scan: Scan, news: list[Change], changes: list[Change], *, everything: bool) -> None:
    counted = Counter(str(change.kind) for change in news)
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(counted.items())) or "nothing changed"
    first = len(changes) - len(news)
    hint = "" if everything else " (--all lists them)"
    baseline = f"; {first} first sightings, where nothing had looked before{hint}" if first else ""
    print_message(f"scan {scan.scan_id} ({scan.name}): {told}{baseline}")
    if scan.shards_open:
        print_message(f"{scan.shards_open} of its {scan.shards} shards are still open")
