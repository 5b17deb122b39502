"""Make the history of a scan that an earlier version recorded, from its stored reports.

The looks that a report leaves depend on nothing but the report, and a late one gives the same
answers as one that came in time. So a backfill may be interrupted anywhere and repeated, also for
scans whose history is there: the same looks are stored again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from cascan.gateways import ReportStore, Shards
from cascan.model.scan import Scan
from cascan.recovery.reparse import StoredReport, list_reports, read_report


class LooksOfReport(msgspec.Struct, frozen=True):
    """What a report left in the history."""

    looks: int
    problem: str = ""  # why it cannot be read; empty: it was read


class ReadLooks(Protocol):
    """on_report_stored's read_looks_again, with all gateways bound."""

    def __call__(self, report: StoredReport) -> LooksOfReport: ...


class Backfilled(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a backfill did for a scan."""

    scan: str  # its id
    name: str
    reports: int  # that were read
    looks: int  # that they left, without the addresses that were not up
    problems: tuple[str, ...] = ()


def backfill_history(
    scan: Scan,
    *,
    table: Shards,
    reports: ReportStore,
    read: ReadLooks,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> Backfilled:
    """Store the looks of every recorded report of the scan, which has ended.

    `tell`: called before each report, with the numbers of reports done and of all reports.
    """
    listed = list_reports(scan, table, reports)
    read_reports = looks = 0
    problems: list[str] = []
    for number, (shard, report) in enumerate(listed):
        tell(number, len(listed))
        outcome, problem = read_report(shard, report, read)
        if outcome:  # also one that cannot be read to its end has looks
            looks += outcome.looks
        if problem:
            problems.append(problem)
        else:
            read_reports += 1
    return Backfilled(scan=scan.scan_id, name=scan.name, reports=read_reports, looks=looks, problems=tuple(problems))
