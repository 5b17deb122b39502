"""Findings as a table, and their numbers by severity."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cascan_cli.output.table import print_table
from cascan_cli.output.text import print_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from cascan.model.finding import Finding

COLUMNS = ("SEVERITY", "CATEGORY", "LOCATION", "FINDING", "DETAIL", "ID")
DROPPED = ("ID", "CATEGORY", "DETAIL")
WHOLE = ("LOCATION", "ID")  # are copied
COMFORT = {"FINDING": 20, "DETAIL": 16}
SHOWN_ID_CHARS = 8  # of a finding: enough for `cascan explain`


def print_findings(
    findings: Iterable[Finding], cut: Callable[[Iterable[Finding]], Iterable[Finding]] | None = None
) -> None:
    """Print a table: up to MAX_SORTED_FINDINGS by severity, more in the order in which they come.

    `cut`: returns those of the ordered findings that are shown; None: all are.
    """
    from cascan.clock import utc_now
    from cascan.limits import MAX_SORTED_FINDINGS
    from cascan.queries.finding_query import order_findings
    from cascan.rules.severity import to_count_key

    ordered, counts, now = order_findings(findings), Counter[str](), utc_now()
    listed: Iterable[Finding] = ordered.findings
    if ordered.is_sorted:
        listed = list(listed)
        _print_counts(Counter(map(to_count_key, listed)))
    else:
        print_message(f"more than {MAX_SORTED_FINDINGS:,} findings: in order of address, not of severity")

    def build_row(finding: Finding) -> tuple[object, ...]:
        counts[to_count_key(finding)] += 1
        return build_finding_row(finding, now)

    shown = cut(listed) if cut else listed
    print_finding_rows(map(build_row, shown))
    if not ordered.is_sorted and cut is None:
        _print_counts(counts)


def print_finding_rows(rows: Iterable[Sequence[object]]) -> None:
    """Print rows of `build_finding_row` as a table."""
    print_table(COLUMNS, rows, drop=DROPPED, whole=WHOLE, comfort=COMFORT)


def build_finding_row(finding: Finding, now: datetime) -> tuple[object, ...]:
    """The cells of COLUMNS."""
    from cascan.queries.describe_detail import describe_detail
    from cascan.rules.severity import to_count_key

    detail, short_id = describe_detail(finding, now), finding.id[:SHOWN_ID_CHARS]
    return to_count_key(finding), finding.category, finding.location, finding.name, detail, short_id


def _print_counts(counts: Counter[str]) -> None:
    if counts:
        print_message(", ".join(count_severities(counts)))


def count_severities(severities: Mapping[str, int]) -> list[str]:
    """`2 HIGH`, `1 LOW` …, the worst first."""
    from cascan.queries.finding_query import rank_severity

    names = sorted((name for name, count in severities.items() if count), key=rank_severity)
    return [f"{severities[name]} {name}" for name in names]
