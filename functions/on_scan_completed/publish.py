"""Publish a completed scan's findings as one document, and call the scan done."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass

import msgspec

from cascan.errors import MalformedMessage
from cascan.events import ScanCompleted
from cascan.gateways import ReportStore, ScanTable
from cascan.ids import results_key
from cascan.model.scan import Counts, ScanState
from cascan.severity import counted_as

IN_MEMORY_BYTES = 8 * 1024**2  # a larger document is spooled to disk


@dataclass(frozen=True, slots=True)
class Published:
    scan_id: str
    key: str
    findings: int


def publish(event: ScanCompleted, *, table: ScanTable, reports: ReportStore) -> Published:
    """Write `results/<scan id>/findings.json`: a JSON array in secureCodeBox's format, ordered by finding id.

    A repeat writes the same document again. Raises: MalformedMessage: there is no such scan.
    """
    scan_id = event.scan_id
    if table.get_scan(scan_id) is None:
        raise MalformedMessage(f"there is no scan {scan_id}")
    table.advance_scan(scan_id, ScanState.HOOK_PROCESSING, frm=[ScanState.PARSE_COMPLETED])
    severities: Counter[str] = Counter()
    categories: Counter[str] = Counter()
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as document:
        separator = b"["
        for finding in table.findings(scan_id):
            document.write(separator + msgspec.json.encode(finding))
            separator = b",\n"
            severities[counted_as(finding)] += 1
            categories[finding.category] += 1
        document.write(b"]\n" if separator != b"[" else b"[]\n")
        document.seek(0)
        reports.put_result(scan_id, "findings.json", document, "application/json")
    count = severities.total()
    table.finish_scan(scan_id, Counts(count=count, severities=dict(severities), categories=dict(categories)))
    return Published(scan_id, results_key(scan_id, "findings.json"), count)
