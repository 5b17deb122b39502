"""All that is known of an address: now, in the past, by whom, with its findings and exposures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple, Protocol

from cascan.gateways import Exposures
from cascan.limits import MAX_HOST_FINDINGS, MAX_HOST_SCANS, MAX_HOST_SPANS
from cascan.model.exposure import Exposure
from cascan.model.finding import Finding
from cascan.model.history import Look
from cascan.model.inventory import HostRecord
from cascan.model.scan import Scan
from cascan.queries.current_findings import CurrentByHost, find_current_findings_at
from cascan.queries.finding_query import order_findings
from cascan.queries.history import Span, list_host_spans, list_looks, list_port_spans
from cascan.queries.moved_hosts import IdentifiedHost, find_identified_host

ReadEach = Callable[[Callable[[str], Scan | None], Iterable[str]], Iterable[Scan | None]]


class HostTable(CurrentByHost, Exposures, Protocol):
    """The gateway that a host's page needs."""


class ScanOfHost(NamedTuple):
    """A scan that looked at the host."""

    scan_id: str
    seen_at: datetime
    is_up: bool
    scan: Scan | None  # None: it is removed


class HostView(NamedTuple):
    """A host, as seen from one vantage."""

    vantage: str
    record: HostRecord | None  # None: it was never up
    identified: IdentifiedHost | None  # None: it is known by its address alone
    spans: Sequence[Span]  # of the host itself and of each port that was open; the latest begin last
    scans: Sequence[ScanOfHost]  # the latest first
    scans_unlisted: int  # beyond MAX_HOST_SCANS
    findings: Sequence[tuple[Finding, Scan]]  # current ones, by severity
    exposures: Sequence[Exposure]


def read_host(
    table: HostTable, address: str, vantages: Sequence[str], now: datetime, read_each: ReadEach = map
) -> list[HostView]:
    """The host as seen from each of the vantages that has looked at it.

    `read_each`: reads for each of some values, in order; one after the other unless the caller does otherwise.
    """
    views = (_read_view(table, address, vantage, now, read_each) for vantage in vantages)
    return [view for view in views if view.record or view.scans or view.exposures]


def _read_view(table: HostTable, address: str, vantage: str, now: datetime, read_each: ReadEach) -> HostView:
    record = table.known_hosts([address], vantage=vantage).get(address)
    identity = record.identity if record else ""
    looks, _ = list_looks(table, address, now, vantage=vantage)
    scans = _list_scans(looks)
    newest = scans[:MAX_HOST_SCANS]
    read = read_each(table.get_scan, [look.scan_id for look in newest])
    return HostView(
        vantage=vantage,
        record=record,
        identified=find_identified_host(table, identity, vantage=vantage) if identity else None,
        spans=_list_spans(looks),
        scans=[ScanOfHost(at.scan_id, at.seen_at, at.is_up, scan) for at, scan in zip(newest, read, strict=True)],
        scans_unlisted=len(scans) - len(newest),
        findings=_list_findings(table, address, vantage),
        exposures=table.exposures_at([address], vantage=vantage),
    )


def _list_scans(looks: Sequence[Look]) -> list[Look]:
    """The last look of each scan, the latest first. `looks`: the oldest first."""
    by_scan = {look.scan_id: look for look in looks}
    return sorted(by_scan.values(), key=lambda look: look.order, reverse=True)


def _list_spans(looks: Sequence[Look]) -> list[Span]:
    spans = [*list_host_spans(looks), *list_port_spans(looks)]
    latest = sorted(spans, key=lambda span: span.last.order, reverse=True)[:MAX_HOST_SPANS]
    return sorted(latest, key=lambda span: (span.key or ("", 0), span.first.order))


def _list_findings(table: HostTable, address: str, vantage: str) -> list[tuple[Finding, Scan]]:
    found = list(islice(find_current_findings_at(table, address, vantage), MAX_HOST_FINDINGS))
    scans = {finding.id: scan for finding, scan in found}
    return [(finding, scans[finding.id]) for finding in order_findings(finding for finding, _ in found).findings]
