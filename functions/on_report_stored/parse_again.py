"""Parse a report that was recorded before, for its findings or its looks alone: the inventory stays as it is."""

# ruff: noqa: ARG002 - FindingsAlone has the methods of a protocol, and ignores most arguments
from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cascan.events import FindingsRecorded, build_event_fields
from cascan.gateways import FindingReplacement, History, ReportStore, SeverityRules, Shards
from cascan.ids import ReportKey, derive_event_id
from cascan.model.finding import Finding, HostFindings
from cascan.model.history import Look, NetworkQuery
from cascan.model.inventory import Change, HostRecord, HostUpdate, InventoryQuery, Sighting
from cascan.model.recording import Recording
from cascan.model.scan import Outcome, Scan
from cascan.model.shard import Shard
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.nmap.intervals import Interval
from cascan.permissions.scope import Scope
from cascan.recovery.backfill_history import LooksOfReport
from cascan.recovery.reparse import ParsedReport, StoredReport
from cascan.rules.severity import StoredRules
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
    """The event that the report's findings are recorded, with an id of its own: it is no repeat."""
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


@dataclass(slots=True)
class FindingsAlone:
    """ReportResults that stores findings, knows no host, and forgets what it is told of inventory and history."""

    replacement: FindingReplacement
    rules: SeverityRules

    def put_findings(self, scan_id: str, hosts: Iterable[HostFindings], source: ReportKey | None = None) -> None:
        self.replacement.put(hosts, source)

    def replace_findings(self, scan_id: str) -> FindingReplacement:
        return self.replacement

    def findings(self, scan_id: str) -> Iterator[Finding]:
        return iter(())

    def severity_rules(self) -> StoredRules | None:
        return self.rules.severity_rules()

    def put_severity_rules(self, stored: StoredRules) -> bool:
        return False

    def known_hosts(self, addresses: Iterable[str], *, vantage: str = DEFAULT_VANTAGE) -> dict[str, HostRecord]:
        return {}

    def save_hosts(
        self, source: ReportKey, updates: Iterable[HostUpdate], *, vantage: str = DEFAULT_VANTAGE
    ) -> list[str]:
        return []

    def known_addresses(self, family: int, low: int, high: int, *, vantage: str = DEFAULT_VANTAGE) -> Iterator[str]:
        return iter(())

    def hosts(self, sought: InventoryQuery, *, vantage: str = DEFAULT_VANTAGE) -> Iterator[HostRecord]:
        return iter(())

    def note_asked(
        self, family: int, intervals: Iterable[Interval], asked: Sighting, *, vantage: str = DEFAULT_VANTAGE
    ) -> None: ...

    def asked(
        self, family: int, low: int, high: int, *, vantage: str = DEFAULT_VANTAGE
    ) -> Iterator[tuple[Interval, Sighting]]:
        return iter(())

    def changes(self, scan_id: str, shard: int, after: str = "") -> Iterator[Change]:
        return iter(())

    def recording(self, source: ReportKey) -> Recording | None:
        return None

    def recorded_addresses(self, source: ReportKey, recording: Recording) -> Iterator[Interval]:
        return iter(())

    def store_recording(
        self, source: ReportKey, recording: Recording, addresses: Iterable[Interval], writer: str
    ) -> bool:
        return True

    def store_looks(
        self, looks: Iterable[Look], *, shared_ports: Collection[str] = (), vantage: str = DEFAULT_VANTAGE
    ) -> None:
        for _ in looks:  # the iterator may count the looks that are taken from it
            pass

    def store_absences(
        self,
        source: ReportKey,
        family: int,
        intervals: Iterable[Interval],
        seen_at: datetime,
        *,
        vantage: str = DEFAULT_VANTAGE,
    ) -> None: ...

    def looks_until(
        self,
        addresses: Collection[str],
        moment: datetime,
        *,
        since: datetime | None = None,
        vantage: str = DEFAULT_VANTAGE,
    ) -> Iterator[Look]:
        return iter(())

    def looks_after(
        self, addresses: Collection[str], moment: datetime, *, vantage: str = DEFAULT_VANTAGE
    ) -> Iterator[Look]:
        return iter(())

    def looks_until_by_network(
        self, queries: Sequence[NetworkQuery], moment: datetime, *, vantage: str = DEFAULT_VANTAGE
    ) -> list[Iterator[Look]]:
        return [iter(()) for _ in queries]

    def looks_after_by_network(
        self, queries: Sequence[NetworkQuery], moment: datetime, *, vantage: str = DEFAULT_VANTAGE
    ) -> list[Iterator[Look]]:
        return [iter(()) for _ in queries]

    def history_vantages(self) -> Iterator[str]:
        return iter(())

    def remove_history(self, family: int, low: int, high: int, *, vantage: str = DEFAULT_VANTAGE) -> int:
        return 0


class NoReplacement:
    """A FindingReplacement that stores nothing."""

    def put(self, hosts: Iterable[HostFindings], source: ReportKey | None = None) -> None: ...

    def remove_others(self) -> None: ...


@dataclass(slots=True)
class LooksAlone(FindingsAlone):
    """ReportResults that stores looks, and makes no findings."""

    history: History
    looks: int = 0

    def put_findings(self, scan_id: str, hosts: Iterable[HostFindings], source: ReportKey | None = None) -> None: ...

    def store_looks(
        self, looks: Iterable[Look], *, shared_ports: Collection[str] = (), vantage: str = DEFAULT_VANTAGE
    ) -> None:
        listed = list(looks)
        self.history.store_looks(listed, shared_ports=shared_ports, vantage=vantage)
        self.looks += len(listed)

    def store_absences(
        self,
        source: ReportKey,
        family: int,
        intervals: Iterable[Interval],
        seen_at: datetime,
        *,
        vantage: str = DEFAULT_VANTAGE,
    ) -> None:
        self.history.store_absences(source, family, intervals, seen_at, vantage=vantage)
