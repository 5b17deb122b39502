"""A scan → all that its HTML report shows, read from the table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import msgspec

from cascan.gateways import CascadeTable, Exposures, Findings, History, Scans, Shards
from cascan.html_report.finding_columns import FindingColumns
from cascan.html_report.overview import clean_tree, describe_exposure, describe_scan, list_gaps, list_series
from cascan.html_report.texts import TextTable
from cascan.html_report.topology import Topology
from cascan.limits import (
    MAX_COMPARED_FINDINGS,
    MAX_REPORT_EXPOSURES,
    MAX_REPORT_FINDINGS,
    MAX_REPORT_NETWORKS,
    MAX_REPORT_TREE_SCANS,
    MAX_SERIES_SCANS,
)
from cascan.model.exposure import ACTIVE_STATES, Exposure
from cascan.model.scan import Scan
from cascan.nmap.addresses import find_network, is_address
from cascan.queries.cascade_tree import CascadeReader
from cascan.queries.read_findings import read_findings_by_vantage
from cascan.queries.since_last_scan import GoneFindings, SinceLastScan, Standing


class ReportTable(Scans, Shards, Findings, History, Exposures, Protocol):
    """What a report reads of the table, apart from cascades."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the page shows: columns of findings, and JSON values for the other sections."""

    texts: TextTable
    findings: FindingColumns
    sections: dict[str, Any]
    title: str
    notes: list[str] = field(default_factory=list)  # what the report leaves out


def build_report(
    scan: Scan,
    table: ReportTable,
    cascades: CascadeTable,
    *,
    now: datetime,
    of_series: bool = False,
    shows_secrets: bool = False,
    max_compared: int = MAX_COMPARED_FINDINGS,
) -> Report:
    """Read the report of a scan. `of_series`: it is titled as that of its series, whose newest scan it is.

    `max_compared`: an earlier scan with more findings is not compared with this one.

    Passwords that scripts found are left out, unless it shows secrets.
    """
    texts = TextTable()
    findings = FindingColumns(texts, shows_secrets=shows_secrets)
    since = SinceLastScan.open(scan, table, max_compared)
    topology = Topology()
    unlisted = _read_findings(scan, table, findings, since, topology)
    gone = since.judge_gone()
    exposures = list(_read_exposures(scan, table, findings))
    tree = CascadeReader(table, cascades, MAX_REPORT_TREE_SCANS)
    sections = {
        "generatedAt": now,
        "ofSeries": of_series,
        "scan": describe_scan(scan, shows_secrets=shows_secrets),
        "members": [
            describe_scan(member, shows_secrets=shows_secrets)
            for member in map(table.get_scan, scan.members)
            if member is not None
        ],
        "since": _describe_since(since, findings, gone),
        "gone": _list_gone(gone, texts, shows_secrets=shows_secrets),
        "exposures": exposures[:MAX_REPORT_EXPOSURES],
        "series": list_series(scan, table.list_scans(MAX_SERIES_SCANS)),
        "gaps": list_gaps(scan, table),
        "topology": topology.describe(),
        "cascade": clean_tree(msgspec.to_builtins(tree.read(scan)), shows_secrets=shows_secrets),
    }
    notes = list(_list_notes(findings, unlisted, exposures, tree))
    name = sections["scan"]["name"]
    return Report(texts, findings, sections, f"Series {name}" if of_series else f"Scan {name}", notes)


def _read_findings(
    scan: Scan, table: ReportTable, findings: FindingColumns, since: SinceLastScan, topology: Topology
) -> int:
    """Returns how many findings are not listed."""
    unlisted = 0
    for vantage, finding, standing in since.compare(read_findings_by_vantage(scan, table)):
        topology.add(finding, vantage)
        if len(findings) < MAX_REPORT_FINDINGS:
            findings.add(finding, vantage, standing=standing)
        else:
            unlisted += 1
    return unlisted


def _describe_since(since: SinceLastScan, findings: FindingColumns, gone: GoneFindings) -> dict[str, Any]:
    earlier = since.earlier
    return {
        "earlier": earlier.scan_id if earlier else "",
        "at": earlier.requested_at if earlier else "",
        "isCompared": since.is_compared,
        "new": findings.standing_counts[Standing.NEW],
        "firstCovered": findings.standing_counts[Standing.NOT_COVERED],
        "resolved": gone.resolved_count,
        "notCovered": gone.not_covered_count,
    }


def _list_gone(gone: GoneFindings, texts: TextTable, *, shows_secrets: bool) -> dict[str, Any]:
    """The findings of the earlier scan that are resolved or not covered, as columns of their own."""
    columns = FindingColumns(texts, shows_secrets=shows_secrets)
    for vantage, finding in gone.resolved + gone.not_covered:
        columns.add(finding, vantage)
    return {"resolved": len(gone.resolved), "columns": columns}


def _read_exposures(scan: Scan, table: ReportTable, findings: FindingColumns) -> Iterator[dict[str, Any]]:
    """The exposures that are not resolved, of hosts of the report, seen from where the scan looked."""
    if table.exposure_day() is None:  # no file of expected exposure was ever stored, so there is none
        return
    members = [member for member in map(table.get_scan, scan.members) if member] or [scan]
    vantages = {vantage for member in members for vantage in member.vantages_of_looks}
    for exposure in _find_exposures(table, findings.addresses, vantages):
        if exposure.is_active:
            yield describe_exposure(exposure)


def _find_exposures(table: Exposures, addresses: set[str], vantages: set[str]) -> Iterator[Exposure]:
    """Network by network; of hosts in very many networks, by reading all exposures that are not resolved."""
    networks: dict[tuple[int, int], list[str]] = defaultdict(list)
    for address in filter(is_address, addresses):
        networks[find_network(address)].append(address)
    if len(networks) <= MAX_REPORT_NETWORKS:
        for vantage in sorted(vantages):
            for network in sorted(networks):
                yield from table.exposures_at(networks[network], vantage=vantage)
        return
    for state in sorted(ACTIVE_STATES):
        for _, exposure in table.list_exposures(state):
            if exposure.subject.address in addresses and exposure.subject.vantage in vantages:
                yield exposure


def _list_notes(
    findings: FindingColumns, unlisted: int, exposures: list[dict[str, Any]], tree: CascadeReader
) -> Iterator[str]:
    if unlisted:
        yield f"{unlisted:,} more findings are not listed here; cascan findings lists all."
    if findings.without_output:
        yield f"{findings.without_output:,} findings are listed without the output of scripts, which the XML has."
    if len(exposures) > MAX_REPORT_EXPOSURES:
        yield f"{len(exposures) - MAX_REPORT_EXPOSURES:,} more exposures are not listed here."
    if tree.is_cut:
        yield f"The cascade has more than {MAX_REPORT_TREE_SCANS} scans; cascan tree shows more of it."
