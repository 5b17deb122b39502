"""Parse a report that was recorded before, for its findings or its looks alone: the inventory stays as it is."""

from __future__ import annotations

from typing import Protocol

from cascan.events import FindingsRecorded, build_event_fields
from cascan.gateways import FindingReplacement, History, ReportStore, SeverityRules, Shards
from cascan.ids import ReportKey, derive_event_id
from cascan.model.scan import Outcome, Scan
from cascan.model.shard import Shard
from cascan.permissions.scope import Scope
from cascan.recovery.backfill_history import LooksOfReport
from cascan.recovery.reparse import ParsedReport, StoredReport
from on_report_stored.partial_results import FindingsAlone, LooksAlone, NoReplacement
from on_report_stored.record_findings import find_remainders
from on_report_stored.record_report import record_report
from on_report_stored.report_summary import ReportSummary
from on_report_stored.scope_filter import ScopeFilter


class LooksTable(Shards, SeverityRules, History, Protocol):
    """What reading the looks of a report again reads of the table, and writes there."""


class ReparsedTable(Shards, SeverityRules, Protocol):
    """What parsing a report again reads of the table."""


def parse_again(
    report: StoredReport,
    replacement: FindingReplacement,
    *,
    scope: Scope,
    table: ReparsedTable,
    reports: ReportStore,
) -> ParsedReport:
    """Store the findings that this version makes of the report, with the severity rules as they are now.

    Findings are dated as before, by the run. Raises: MalformedMessage: there is no such report.
    """
    shard, scan = report.shard, report.scan
    summary = record_report(
        report.key,
        shard,
        scan.finished_at or scan.requested_at,  # of a shard whose run has no time
        scope_filter=ScopeFilter(shard, scope, tuple(find_remainders(shard, table))),
        reports=reports,
        table=FindingsAlone(replacement, table),
    ).summary
    return ParsedReport(
        findings=summary.findings,
        problem=summary.unreadable,
        event=_build_event(scan, shard, report.key, summary),
    )


def read_looks_again(
    report: StoredReport,
    *,
    scope: Scope,
    table: LooksTable,
    reports: ReportStore,
) -> LooksOfReport:
    """Store the looks of the report. Raises: MalformedMessage: there is no such report."""
    shard, scan = report.shard, report.scan
    results = LooksAlone(NoReplacement(), table, table)
    summary = record_report(
        report.key,
        shard,
        scan.finished_at or scan.requested_at,  # of a shard whose run has no time
        scope_filter=ScopeFilter(shard, scope, tuple(find_remainders(shard, table))),
        reports=reports,
        table=results,
        vantage=shard.seen_from(scan),
    ).summary
    return LooksOfReport(results.looks, summary.unreadable)


def _build_event(scan: Scan, shard: Shard, key: ReportKey, summary: ReportSummary) -> FindingsRecorded:
    """The event that the report's findings are recorded, with an id of its own, as it is not a repeat."""
    happened_at = (shard.run and shard.run.finished_at) or scan.requested_at
    counts = summary.finding_counts
    return FindingsRecorded(
        **build_event_fields(scan, at=happened_at, cause_id=str(key)),
        event_id=derive_event_id(scan.scan_id, shard.number, "parsed again", counts, summary.hosts_answered),
        shard=shard.number,
        report_key=str(key),
        outcome=shard.outcome or Outcome.COMPLETE,
        hosts_up=summary.hosts_answered,
        findings=counts,
        reasons=shard.reasons.at_shard(shard.number),
    )
