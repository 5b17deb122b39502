"""Parse the stored reports of an ended scan again: its findings and results are made anew.

Findings that this version makes are stored over those with the same key; when all reports are
parsed, the others are removed. How the scan ended, its inventory and its changes stay as they are.
Each step may be repeated, so an interrupted reparse is completed by the next one.

A report that is gone or cannot be read keeps its findings: then nothing is removed, and the merged
report of the scan stays as it was published.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from cascan.errors import MalformedMessage
from cascan.events import FindingsRecorded
from cascan.gateways import EventBus, FindingReplacement, Findings, History, ReportStore, Scans, Shards
from cascan.ids import ReportKey
from cascan.model.scan import FINAL_STATES, Counts, Scan
from cascan.model.shard import Shard, ShardState
from cascan.queries.read_findings import read_findings
from cascan.scans.merged_report import select_reports

EVENTS_AT_ONCE = 100


class StoredReport(NamedTuple):
    """A recorded report, with its shard and its scan."""

    key: ReportKey
    shard: Shard
    scan: Scan


class ReadOutcome(Protocol):
    """What came of reading a report."""

    @property
    def problem(self) -> str:
        """Why it cannot be read; empty: it was read."""


Outcome = TypeVar("Outcome", bound=ReadOutcome)


@dataclass(frozen=True, slots=True)
class ParsedReport:
    """What came of a report."""

    findings: int
    problem: str  # why it cannot be read; empty: it was read
    event: FindingsRecorded


class ParseReport(Protocol):
    """on_report_stored's parse_again, with all gateways bound."""

    def __call__(self, report: StoredReport, replacement: FindingReplacement) -> ParsedReport: ...


class PublishAgain(Protocol):
    """on_scan_completed's publish_again, with all gateways bound."""

    def __call__(self, scan: Scan, *, with_report: bool) -> Counts | None: ...


class ReparsedScans(Scans, Shards, Findings, History, Protocol):
    """What a reparse reads of the table and writes there."""


class Reparsed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a reparse did to a scan."""

    scan: str  # its id
    name: str
    reports: int  # that were parsed
    findings: int  # that the scan has now
    added: int
    removed: int
    problems: tuple[str, ...] = ()


def find_reparse_refusal(scan: Scan) -> str:
    """Why the scan cannot be parsed again now; empty: it can."""
    if scan.state not in FINAL_STATES or scan.shards_open:
        return f"scan {scan.scan_id} is {scan.state}: its reports can be parsed again once it has ended"
    if not scan.shards:
        return f"scan {scan.scan_id} was refused, so it has no reports"
    return ""


def reparse_scan(
    scan: Scan,
    *,
    table: ReparsedScans,
    reports: ReportStore,
    parse: ParseReport,
    publish: PublishAgain,
    bus: EventBus,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> Reparsed:
    """Parse every recorded report of the scan, which has ended.

    A scan with members has no report of its own. Call this for its members first: its results are
    made of their findings.

    `tell`: called before each report, with the numbers of reports done and of all reports.
    """
    scan_id = scan.scan_id
    known_ids = {finding.id for finding in read_findings(scan, table)}
    listed = list_reports(scan, table, reports)
    replacement = table.replace_findings(scan_id)
    events: list[FindingsRecorded] = []
    problems: list[str] = []
    for number, (shard, report) in enumerate(listed):
        tell(number, len(listed))
        parsed, problem = read_report(shard, report, lambda stored: parse(stored, replacement))
        if problem:
            problems.append(problem)
        elif parsed:
            events.append(parsed.event)
    if not problems:
        replacement.remove_others()
    if publish(scan, with_report=not problems) is None:
        problems.append("the scan was removed while its reports were parsed")
    for start in range(0, len(events), EVENTS_AT_ONCE):
        bus.put(events[start : start + EVENTS_AT_ONCE])
    current_ids = {finding.id for finding in read_findings(scan, table)}
    return Reparsed(
        scan=scan_id,
        name=scan.name,
        reports=len(events),
        findings=len(current_ids),
        added=len(current_ids - known_ids),
        removed=len(known_ids - current_ids),
        problems=tuple(problems),
    )


def list_reports(scan: Scan, table: Shards, reports: ReportStore) -> list[tuple[Shard, StoredReport | None]]:
    """The shards of the scan that have a recorded report, each with it; None: it is gone."""
    shards = [shard for shard in table.shards(scan.scan_id) if _has_report(shard)]
    keys = select_reports(shards, reports.report_keys(scan.scan_id))
    return [
        (shard, StoredReport(keys[shard.number], shard, scan) if shard.number in keys else None) for shard in shards
    ]


def _has_report(shard: Shard) -> bool:
    """Whether nmap ran for the shard and its report was recorded, or could not be."""
    ran = shard.run is not None and shard.run.exit_code is not None
    return ran and shard.state in (ShardState.RECORDED, ShardState.FAILED)


def read_report(
    shard: Shard, report: StoredReport | None, read: Callable[[StoredReport], Outcome]
) -> tuple[Outcome | None, str]:
    """What `read` made of the report; and a sentence that says why that is nothing, or not all. Empty: it is all."""
    gone = f"the report of shard {shard.number} is gone"
    if report is None:
        return None, gone
    try:
        outcome = read(report)
    except MalformedMessage:  # it was deleted just now
        return None, gone
    return outcome, outcome.problem and f"the report of shard {shard.number} cannot be read: {outcome.problem}"
