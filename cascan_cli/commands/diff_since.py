"""`cascan diff --since`: what is otherwise now than it was at a time, over all scans."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any

from cascan.formats.change_records import select_change_records
from cascan.model.history import SeenService
from cascan.model.inventory import Change, Sighting
from cascan_cli.commands.export_findings import write_records
from cascan_cli.commands.when import choose_vantages
from cascan_cli.errors import BadInput
from cascan_cli.input.inventory_query import parse_query
from cascan_cli.input.moments import parse_duration, parse_look_moment, parse_zone
from cascan_cli.output.history import (
    answer_to_json,
    describe_service,
    format_look,
    format_port,
    format_time,
)
from cascan_cli.output.table import print_table
from cascan_cli.output.text import pluralize, print_json_list, print_message

if TYPE_CHECKING:
    from cascan.formats.records import Record
    from cascan.queries.history import Answer, Difference
    from cascan_cli.stack.open import StackGateways

COLUMNS = ("CHANGE", "VANTAGE", "ADDRESS", "NAME", "PORT", "THEN", "NOW", "LOOK THEN", "LOOK NOW")
DROPPED = ("VANTAGE", "LOOK THEN", "NAME", "LOOK NOW")


def print_differences(args: Namespace, stack: StackGateways) -> int:
    """Returns the exit code. Raises: BadInput."""
    from cascan.queries.history import find_differences

    if args.scan:
        raise BadInput("--since compares times, not scans: leave SCAN out")
    zone = parse_zone(args.tz)
    since = parse_look_moment(args.since, zone, "--since")
    until = parse_look_moment(args.until, zone, "--until")
    if since >= until:
        raise BadInput(f"--since {args.since} is not before --until {args.until}")
    stale = parse_duration(args.stale, "--stale") if args.stale else None
    query = parse_query(args.network, args.port, "", was_open=True)
    table = stack.table
    counts, baselines = Counter[str](), 0

    def find_shown() -> Iterator[Difference]:
        nonlocal baselines
        for vantage in choose_vantages(args, stack):
            for difference in find_differences(table, query, since, until, stale=stale, vantage=vantage):
                if difference.is_baseline:
                    baselines += 1
                else:
                    counts[str(difference.kind)] += 1
                if args.all or not difference.is_baseline:
                    yield difference

    times = f"from {format_time(since)} to {format_time(until)}"
    _print(find_shown(), args, stack, title=f"changes {times}")
    summary = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())) or "nothing changed"
    if baselines:
        hint = "" if args.all else " (--all lists them)"
        summary += f"; {pluralize(baselines, 'port')} that no look had covered at one of the times{hint}"
    print_message(f"{times}: {summary}")
    return 0


def _print(differences: Iterator[Difference], args: Namespace, stack: StackGateways, *, title: str) -> None:
    """Print them as they are found: each network needs reads, and there may be many."""
    if args.form:
        write_records(_build_records(differences, stack), args, title=title)
    elif args.json:
        print_json_list(map(_to_json, differences))
    else:
        print_table(COLUMNS, map(_row, differences), drop=DROPPED, whole=("ADDRESS",))


def _build_records(differences: Iterable[Difference], stack: StackGateways) -> Iterator[Record]:
    by_vantage = groupby(map(to_change, differences), key=lambda entry: entry[0])
    return chain.from_iterable(
        select_change_records((change for _, change in entries), stack.table, vantage=vantage)
        for vantage, entries in by_vantage
    )


def to_change(difference: Difference) -> tuple[str, Change]:
    """The vantage of the difference, and the change as a scan would have recorded it."""
    before, after = difference.before, difference.after
    protocol, port = after.key
    return after.vantage, Change(
        kind=difference.kind,
        address=after.address,
        hostname=difference.hostname,
        protocol=protocol,
        port=port,
        before=_to_sighting(before) if before.look else None,
        after=_to_sighting(after),
    )


def _to_sighting(answer: Answer) -> Sighting:
    service = answer.service or SeenService()
    return Sighting(
        state=answer.state,
        seen_at=answer.look.seen_at if answer.look else answer.moment,
        scan_id=answer.look.scan_id if answer.look else "",
        service=service.name,
        product=service.product,
        version=service.version,
        extrainfo=service.extrainfo,
        tunnel=service.tunnel,
        cpe=service.cpe,
        probed=service.probed,
    )


def _row(difference: Difference) -> tuple[object, ...]:
    before, after = difference.before, difference.after
    return (
        difference.kind,
        after.vantage,
        after.address,
        difference.hostname,
        format_port(after.key),
        _describe(before),
        _describe(after),
        format_look(before.look),
        format_look(after.look),
    )


def _describe(answer: Answer) -> str:
    return " ".join(filter(None, (answer.state, describe_service(answer.service))))


def _to_json(difference: Difference) -> dict[str, Any]:
    return {
        "kind": str(difference.kind),
        "baseline": difference.is_baseline,
        "hostname": difference.hostname,
        "before": answer_to_json(difference.before),
        "after": answer_to_json(difference.after),
    }
