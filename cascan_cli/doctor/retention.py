"""How long a stack keeps each kind of data, from its parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cascan_cli.doctor.check import Result
from cascan_cli.output.text import pluralize

SECONDS_A_DAY = 86_400
FOR_EVER = "for ever"


def check_retention(parameters: Mapping[str, str]) -> Iterator[Result]:
    """Say the period of each kind. `parameters`: those of the stack; one that is missing has its default."""
    scans = _format_seconds(parameters.get("DefaultTtlSeconds", "-1"))
    reports = _format_days(parameters.get("ReportRetentionDays", "0"), FOR_EVER)
    days = parameters.get("HistoryRetentionDays", "0")
    yield Result.ok(
        f"scans with findings are kept {scans}, unless a request says otherwise; reports and results {reports}; "
        f"changes {_format_days(days, 'as long as their scan')}; the history of hosts {_format_days(days, FOR_EVER)}; "
        f"the inventory {FOR_EVER}"
    )


def _format_seconds(text: str) -> str:
    seconds = int(text)
    if seconds < 0:
        return FOR_EVER
    days, rest = divmod(seconds, SECONDS_A_DAY)
    return f"for {pluralize(days, 'day')}" if days and not rest else f"for {seconds:,} seconds"


def _format_days(text: str, without: str) -> str:
    """`without`: how long, if the parameter is 0."""
    days = int(text)
    return f"for {pluralize(days, 'day')}" if days else without
