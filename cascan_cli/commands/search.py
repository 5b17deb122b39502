"""`cascan search`: which findings of all scans have these words?"""

from __future__ import annotations

import time
from argparse import Namespace
from typing import TYPE_CHECKING

from cascan.clock import to_wire
from cascan.limits import MAX_SEARCH_RESULTS
from cascan.queries.search import SearchText
from cascan_cli.errors import BadInput
from cascan_cli.input.finding_query import parse_finding_query
from cascan_cli.output.table import print_table
from cascan_cli.output.text import Progress, print_json, print_message
from cascan_cli.stack.open import open_stack
from cascan_cli.stack.search_stack import search_index, search_table

if TYPE_CHECKING:
    from cascan.queries.finding_query import FindingQuery
    from cascan.queries.search import SearchResult
    from cascan_cli.local.search_index import UpdateProgress
    from cascan_cli.stack.open import StackGateways

COLUMNS = ("REQUESTED", "SCAN", "ADDRESS", "PORT", "SEVERITY", "FINDING")
COMFORT = {"FINDING": 24}  # columns are left out before the name of a finding is narrower
PROGRESS_AFTER_S = 2.0  # most searches have nothing to read


def run(args: Namespace) -> int:
    if not 1 <= args.limit <= MAX_SEARCH_RESULTS:
        raise BadInput(f"--limit {args.limit}: must be from 1 to {MAX_SEARCH_RESULTS}")
    if args.form or args.output or args.with_secrets:
        from cascan_cli.commands.export_findings import check_export_options  # imports every format

        check_export_options(args)
    query = parse_finding_query(args)
    try:
        text = SearchText.parse(args.texts)
    except ValueError as exc:
        raise BadInput(str(exc)) from exc
    with open_stack(args) as stack:
        search = _search_index if stack.is_local else _search_table
        results = search(stack, text, query, args)
        shown = results[: args.limit]
        if args.form:
            _export(shown, text, query, args, stack)
    if not results and not args.json:
        print_message("no finding of an ended scan has these words")
    if not args.form:
        _print(shown, as_json=args.json)
    if len(results) > args.limit:
        print_message(f"more findings have these words: only the first {args.limit} are listed; see --limit")
    return 0


def _search_index(stack: StackGateways, text: SearchText, query: FindingQuery, args: Namespace) -> list[SearchResult]:
    """One result more than --limit, if there are so many."""
    started = time.monotonic()
    with Progress() as progress:

        def show(state: UpdateProgress) -> None:
            if time.monotonic() - started > PROGRESS_AFTER_S:
                scans = f"scan {state.scans_done + 1} of {state.scans}"
                progress.show(f"bringing the search index up to date: {scans}, {state.findings} findings")

        found = search_index(stack, args.state_dir, text, query, args.limit + 1, show=show, say=print_message)
    return [each.result for each in found]


def _search_table(stack: StackGateways, text: SearchText, query: FindingQuery, args: Namespace) -> list[SearchResult]:
    """As `_search_index`, by reading the findings of the latest scans."""
    return search_table(stack, text, query, args.limit + 1, shown=args.limit, say=print_message)


def _export(
    results: list[SearchResult], text: SearchText, query: FindingQuery, args: Namespace, stack: StackGateways
) -> None:
    """Write the findings as `--as` says."""
    from cascan.formats.first_seen import add_first_seen
    from cascan.formats.search_records import SearchedFindings
    from cascan_cli.commands.export_findings import write_records

    findings = SearchedFindings(stack.table, text, query)
    records = add_first_seen(findings.select_records(results), stack.table)
    write_records(records, args, title=f"search for {' '.join(args.texts)}")


def _print(results: list[SearchResult], *, as_json: bool) -> None:
    if as_json:
        print_json(results)
        return
    rows = (
        (
            to_wire(result.requested_at),
            result.scan,
            result.address,
            f"{result.port}/{result.protocol}" if result.port is not None else "",
            result.severity,
            result.name,
        )
        for result in results
    )
    print_table(COLUMNS, rows, drop=("REQUESTED", "SEVERITY"), whole=("SCAN", "ADDRESS"), comfort=COMFORT)
