"""Publish what came of a completed scan, its findings as one document and its reports as one, and call it done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol

import msgspec

from cascan.errors import MalformedMessage
from cascan.events import ScanCompleted
from cascan.findings.to_json import scan_fields, to_json
from cascan.gateways import Findings, ReportStore, Scans, Shards
from cascan.ids import results_key
from cascan.model.finding import Finding
from cascan.model.scan import Counts, ScanState
from cascan.recovery.scan_records import store_end
from cascan.rules.severity import to_count_key
from cascan.scans.merged_report import open_merged_report


class CompletedScans(Scans, Shards, Findings, Protocol):
    """What publishing a scan reads of the table, and marks there."""


@dataclass(frozen=True, slots=True)
class PublishedResults:
    scan_id: str
    key: str  # of the findings
    findings: int
    reports: int  # merged into one


def publish(event: ScanCompleted, *, table: CompletedScans, reports: ReportStore) -> PublishedResults:
    """Write `results/<scan id>/findings.json`, a JSON array in secureCodeBox's format, ordered by finding id; and
    `results/<scan id>/nmap.xml`, the reports of the scan's shards as one, where there is any.

    A repeat writes the same documents again. Raises: MalformedMessage: there is no such scan.
    """
    scan_id = event.scan_id
    scan = table.get_scan(scan_id)
    if scan is None:
        raise MalformedMessage(f"there is no scan {scan_id}")
    table.advance_scan(scan_id, ScanState.HOOK_PROCESSING, expected=[ScanState.PARSE_COMPLETED])
    tally = _Tally()
    document = _document(tally.counting(table.findings(scan_id)), scan_fields(scan))
    reports.put_result(scan_id, "findings.json", document, "application/json")
    merged = _publish_report(scan_id, table, reports)
    table.finish_scan(scan_id, tally.counts())
    record_end(scan_id, table=table, reports=reports)
    return PublishedResults(scan_id, results_key(scan_id, "findings.json"), tally.counts().count, merged)


def record_end(scan_id: str, *, table: Scans, reports: ReportStore) -> ScanState:
    """Keep how the scan ended beside its reports; its state. Raises: MalformedMessage: there is no such scan."""
    scan = table.get_scan(scan_id)
    if scan is None:
        raise MalformedMessage(f"there is no scan {scan_id}")
    store_end(reports, scan)
    return scan.state


def _publish_report(scan_id: str, table: Shards, reports: ReportStore) -> int:
    merged = open_merged_report(scan_id, table=table, reports=reports)
    first = next(merged.chunks, None)
    if first is not None:
        reports.put_result(scan_id, "nmap.xml", chain((first,), merged.chunks), "application/xml")
    return merged.reports


def _document(findings: Iterable[Finding], scan: dict[str, str]) -> Iterator[bytes]:
    separator, behind = b"[", b',"scan":' + msgspec.json.encode(scan) + b"}"
    for finding in findings:
        has_added = finding.added is not msgspec.UNSET
        text = msgspec.json.encode(to_json(finding, scan) if has_added else finding)
        yield separator + (text if has_added else text[:-1] + behind)
        separator = b",\n"
    yield b"]\n" if separator != b"[" else b"[]\n"


@dataclass
class _Tally:
    severities: Counter[str] = field(default_factory=Counter)
    categories: Counter[str] = field(default_factory=Counter)

    def counting(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """The findings as they come, each counted."""
        for finding in findings:
            self.severities[to_count_key(finding)] += 1
            self.categories[finding.category] += 1
            yield finding

    def counts(self) -> Counts:
        count = self.severities.total()
        return Counts(count=count, severities=dict(self.severities), categories=dict(self.categories))
