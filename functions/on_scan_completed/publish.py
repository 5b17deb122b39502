"""Publish the results of a completed scan: its findings as one document, its reports as another.

Then it is Done, and its HTML report follows.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol

import msgspec

from cascan.clock import Clock
from cascan.events import ScanCompleted
from cascan.findings.to_json import scan_fields, to_json
from cascan.gateways import CascadeTable, Exposures, Findings, History, ReportStore, Scans, Shards
from cascan.ids import results_key
from cascan.limits import MAX_STORED_REPORT_FINDINGS
from cascan.model.finding import Finding
from cascan.model.scan import Counts, Scan, ScanState
from cascan.queries.reachability_findings import FindingsAndLooks
from cascan.queries.read_findings import read_findings
from cascan.recovery.scan_records import store_end
from cascan.rules.severity import to_count_key
from cascan.scans.load_scan import load_scan
from cascan.scans.merged_report import open_merged_report


class CompletedScans(Scans, Shards, Findings, History, Protocol):
    """What publishing a scan reads of the table, and marks there."""


class ReportedScans(CompletedScans, Exposures, Protocol):
    """What the HTML report shows besides."""


@dataclass(frozen=True, slots=True)
class PublishedResults:
    scan_id: str
    key: str  # of the findings
    findings: int
    reports: int  # merged into one


def publish(event: ScanCompleted, *, table: CompletedScans, reports: ReportStore) -> PublishedResults:
    """Write `results/<scan id>/findings.json`, a JSON array in secureCodeBox's format, ordered by
    the addresses of their hosts; and `results/<scan id>/nmap.xml`, the merged reports of the scan's shards, where
    there are any.

    A repeated delivery writes the same documents again. Raises: MalformedMessage: there is no such
    scan.
    """
    scan_id = event.scan_id
    scan = load_scan(table, scan_id)
    table.advance_scan(scan_id, ScanState.HOOK_PROCESSING, expected=[ScanState.PARSE_COMPLETED])
    counts = _publish_findings(scan, table, reports)
    reports_merged = _publish_report(scan_id, table, reports)
    table.finish_scan(scan_id, counts)
    record_end(scan_id, table=table, reports=reports)
    return PublishedResults(scan_id, results_key(scan_id, "findings.json"), counts.count, reports_merged)


def publish_again(
    scan: Scan, *, table: CompletedScans, reports: ReportStore, with_report: bool = True
) -> Counts | None:
    """Count the findings of an ended scan again, and write its results anew if it has results.

    `with_report`: also nmap.xml. Returns the counts. None: the scan was removed meanwhile.
    """
    if scan.state is ScanState.DONE:
        counts = _publish_findings(scan, table, reports)
        if with_report:
            _publish_report(scan.scan_id, table, reports)
    else:
        counter = _FindingCounter()
        deque(counter.count(read_findings(scan, table)), maxlen=0)
        counts = counter.counts
    if not table.recount_findings(scan.scan_id, counts):
        return None
    record_end(scan.scan_id, table=table, reports=reports)
    return counts


def publish_html(
    scan_id: str, *, table: ReportedScans, cascades: CascadeTable, reports: ReportStore, clock: Clock
) -> bool:
    """Write `results/<scan id>/report.html`, if the scan has results. The scan is Done before, so nothing waits for it.

    False: the scan was removed, has no results, or has more than MAX_STORED_REPORT_FINDINGS findings; then
    `cascan report` makes its report.
    """
    scan = table.get_scan(scan_id)
    if scan is None or scan.state is not ScanState.DONE or scan.findings.count > MAX_STORED_REPORT_FINDINGS:
        return False
    # Imported here: a scan is Done before these modules are read
    from cascan.html_report.build_report import build_report  # noqa: PLC0415
    from cascan.html_report.render_report import render_report  # noqa: PLC0415

    # Bounded as the scan itself, so that the function has time for both
    report = build_report(scan, table, cascades, now=clock(), max_compared=MAX_STORED_REPORT_FINDINGS)
    reports.put_result(scan_id, "report.html", render_report(report), "text/html; charset=utf-8")
    return True


def record_end(scan_id: str, *, table: Scans, reports: ReportStore) -> ScanState:
    """Store how the scan ended, beside its reports; return its state.

    Raises: MalformedMessage: no such scan.
    """
    scan = load_scan(table, scan_id)
    store_end(reports, scan)
    return scan.state


def _publish_findings(scan: Scan, table: FindingsAndLooks, reports: ReportStore) -> Counts:
    counter = _FindingCounter()
    document = _encode_findings(counter.count(read_findings(scan, table)), scan_fields(scan))
    reports.put_result(scan.scan_id, "findings.json", document, "application/json")
    return counter.counts


def _publish_report(scan_id: str, table: Shards, reports: ReportStore) -> int:
    merged = open_merged_report(scan_id, table=table, reports=reports)
    beginning = next(merged.chunks, None)
    if beginning is not None:
        reports.put_result(scan_id, "nmap.xml", chain((beginning,), merged.chunks), "application/xml")
    return merged.reports


def _encode_findings(findings: Iterable[Finding], scan: dict[str, str]) -> Iterator[bytes]:
    """A JSON array, finding by finding, each with `scan`."""
    separator, scan_field = b"[", b',"scan":' + msgspec.json.encode(scan) + b"}"
    for finding in findings:
        # most: the field is appended to the encoded finding, which is faster
        if finding.added is msgspec.UNSET:
            text = msgspec.json.encode(finding)[:-1] + scan_field
        else:
            text = msgspec.json.encode(to_json(finding, scan))
        yield separator + text
        separator = b",\n"
    yield b"]\n" if separator != b"[" else b"[]\n"


@dataclass
class _FindingCounter:
    severities: Counter[str] = field(default_factory=Counter)
    categories: Counter[str] = field(default_factory=Counter)

    def count(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """The same findings; each is counted when it is read."""
        for finding in findings:
            self.severities[to_count_key(finding)] += 1
            self.categories[finding.category] += 1
            yield finding

    @property
    def counts(self) -> Counts:
        count = self.severities.total()
        return Counts(count=count, severities=dict(self.severities), categories=dict(self.categories))
