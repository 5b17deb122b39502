"""Search the findings of all scans of a stack: with the index of this machine, or without one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from cascan.clock import to_wire
from cascan.limits import MAX_SCANS_SEARCHED
from cascan.queries.search import SearchText, has_ended, may_match, search_scans
from cascan_cli.output.text import pluralize

if TYPE_CHECKING:
    from cascan.queries.finding_query import FindingQuery
    from cascan.queries.search import SearchResult
    from cascan_cli.local.search_index import Found, ShowProgress
    from cascan_cli.stack.open import StackGateways

Say = Callable[[str], None]


def search_index(
    stack: StackGateways,
    state_dir: Path | None,
    text: SearchText,
    query: FindingQuery,
    limit: int,
    *,
    after: int = -1,
    show: ShowProgress = lambda _: None,
    say: Say,
    updates: bool = True,
) -> list[Found]:
    """The first results of a stack on this machine, whose index is brought up to date if `updates`.

    `after`: only results behind this place.
    `show` gets how far that is, `say` sentences for the user. Raises: StateUnreadable, DiskFull, StackBusy.
    """
    from cascan_cli.local.search_index import Search, search_findings
    from cascan_cli.local.state import StateDir

    path = StateDir(state_dir).search_index
    return search_findings(path, stack.table, Search(text, query, limit, after), show=show, say=say, updates=updates)


def search_table(
    stack: StackGateways, text: SearchText, query: FindingQuery, limit: int, *, shown: int, say: Say
) -> list[SearchResult]:
    """As `search_index`, by reading the findings of the latest scans. `shown`: the limit that `say` names."""
    listed = list(stack.table.list_scans(MAX_SCANS_SEARCHED))
    scans = [scan for scan in listed if has_ended(scan) and may_match(scan, query)]
    findings = sum(scan.findings.count for scan in scans)
    say(
        f"a stack in AWS has no index: reading all findings of {pluralize(len(scans), 'scan')}, "
        f"{pluralize(findings, 'finding')}, until {pluralize(shown, 'result')}"
    )
    if len(listed) == MAX_SCANS_SEARCHED:
        oldest = to_wire(listed[-1].requested_at)
        say(f"only the {MAX_SCANS_SEARCHED} latest scans are searched, those since {oldest}")
    return list(islice(search_scans(scans, stack.table, text, query), limit))
