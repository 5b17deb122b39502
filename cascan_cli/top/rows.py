"""The rows of the live view: scans, findings and exposures as cells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from cascan.model.scan import Scan, ScanState
from cascan.queries.finding_query import order_findings
from cascan_cli.output.exposures import format_age
from cascan_cli.output.findings import build_finding_row, count_severities
from cascan_cli.output.scan import duration_s, format_duration
from cascan_cli.output.text import pluralize, shorten_list

if TYPE_CHECKING:
    from cascan.model.exposure import Exposure
    from cascan.model.finding import Finding

TARGETS_SHOWN = 3
SCAN_COLUMNS = ("STATE", "NAME", "DONE", "TIME", "LEFT", "HOSTS", "FINDINGS", "TARGETS", "SCAN")
FINDING_COLUMNS = ("SEVERITY", "CATEGORY", "LOCATION", "FINDING", "DETAIL")
EXPOSURE_COLUMNS = ("SEVERITY", "STATE", "AGE", "VANTAGE", "HOST", "PORT", "WHY")


class Row(NamedTuple):
    """A row of a list. `key`: the same as long as it is about the same thing."""

    key: str
    cells: tuple[str, ...]


def build_scan_row(scan: Scan, state: str, cells: tuple[str, ...]) -> Row:
    """`cells`: from DONE to FINDINGS."""
    targets = shorten_list(scan.request.targets, TARGETS_SHOWN) if scan.request else ""
    return Row(scan.scan_id, (str(state), scan.name, *cells, targets, scan.scan_id))


def build_ended_row(scan: Scan) -> Row:
    seconds = duration_s(scan)
    took = format_duration(seconds) if seconds is not None else ""
    hosts = f"{scan.hosts_up} of {pluralize(scan.total_addresses, 'address', 'addresses')} up" if scan.shards else ""
    state = scan.state if scan.state is not ScanState.DONE or not scan.outcome else f"{scan.state}, {scan.outcome}"
    return build_scan_row(scan, state, ("", took, "", hosts, format_severities(scan)))


def format_severities(scan: Scan) -> str:
    """How many findings of each severity the scan has."""
    return " ".join(count_severities(scan.findings.severities)).replace("INFORMATIONAL", "INFO")


def build_finding_rows(findings: Iterable[Finding], now: datetime) -> Iterator[Row]:
    """The worst first."""
    for finding in order_findings(findings).findings:
        cells = build_finding_row(finding, now)[: len(FINDING_COLUMNS)]
        yield Row(finding.id, tuple(map(str, cells)))


def build_exposure_row(exposure: Exposure, now: datetime) -> Row:
    subject = exposure.subject
    host = f"{subject.address} ({exposure.hostname})" if exposure.hostname else subject.address
    cells = (
        exposure.severity.value,
        exposure.state.value,
        format_age(exposure.first_seen, now),
        subject.vantage,
        host,
        f"{subject.protocol}/{subject.port}",
        exposure.sentence,
    )
    return Row(exposure.exposure_id, cells)
