"""Why there is a finding: its evidence, what it means, which severity rules changed it, and since when it is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, Protocol

import msgspec

from cascan.findings.advice import Advice, find_advice
from cascan.findings.by_host import find_address
from cascan.gateways import FindingsByHost, Inventory
from cascan.limits import MAX_CANDIDATES_LISTED, MAX_SIGHTINGS_READ
from cascan.model.finding import Finding
from cascan.model.inventory import HostRecord
from cascan.model.scan import Scan
from cascan.nmap.addresses import is_address, parse_address
from cascan.queries.reachability_findings import FindingsAndLooks
from cascan.queries.read_findings import read_findings_by_vantage
from cascan.queries.since_last_scan import list_earlier_scans

PORT_FACTS = ("state", "reason", "reason_ttl", "service", "serviceProduct", "serviceVersion", "method", "cpe")


class ExplainedScans(FindingsAndLooks, FindingsByHost, Inventory, Protocol):
    """The gateway that an explanation needs."""


class RuleEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What severity rules changed."""

    rules: tuple[str, ...]  # their names, in the order of the file
    severity_before: str = ""  # empty: they left the severity
    suppressed: str = ""  # the reason
    accepted_until: str = ""
    accepted_reason: str = ""
    acceptance_ended: str = ""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    scan: Scan
    finding: Finding
    advice: Advice
    vantage: str = ""
    script: str = ""  # that made the finding; empty: nmap's port scan or host discovery
    evidence: str = ""  # what nmap wrote
    rules: RuleEffect | None = None
    # Of the port, or of the host, in the inventory
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    seen_in: tuple[tuple[str, datetime], ...] = ()  # earlier scans of the series that have it, the newest first
    scans_compared: int = 0  # earlier scans of the series that were looked through


def find_finding(scan: Scan, table: FindingsAndLooks, text: str) -> list[tuple[str, Finding]]:
    """The findings whose id or fingerprint begins with the text, each with its vantage. At most
    MAX_CANDIDATES_LISTED; an exact match is the only one.
    """
    sought = text.lower()
    candidates: list[tuple[str, Finding]] = []
    for vantage, finding in read_findings_by_vantage(scan, table):
        if sought == finding.id:
            return [(vantage, finding)]
        if _begins_with(finding, sought) and len(candidates) < MAX_CANDIDATES_LISTED:
            candidates.append((vantage, finding))
    return candidates


def _begins_with(finding: Finding, text: str) -> bool:
    return finding.id.startswith(text) or finding.fingerprint.startswith(text)


def explain_finding(scan: Scan, vantage: str, finding: Finding, table: ExplainedScans) -> Explanation:
    script = _to_text(finding.attributes.get("script"))
    address = find_address(finding)
    record = _find_record(address, vantage or scan.vantage, table)
    first_seen, last_seen = _find_times(finding, record)
    seen_in, compared = _find_earlier(scan, vantage, finding, table)
    return Explanation(
        scan=scan,
        finding=finding,
        advice=find_advice(finding),
        vantage=vantage,
        script=script,
        evidence=_find_evidence(finding, script, _read_host(scan, vantage, address, table)),
        rules=_read_rules(finding.attributes),
        first_seen=first_seen,
        last_seen=last_seen,
        seen_in=seen_in,
        scans_compared=compared,
    )


# ---- evidence


def _read_host(scan: Scan, vantage: str, address: str, table: ExplainedScans) -> list[Finding]:
    """All findings of the host: those of its ports have the output of the scripts."""
    if not is_address(address):
        return []
    for one in _list_scans_with_findings(scan, vantage, table):
        if findings := table.findings_at(one.scan_id, [address]).get(address):
            return findings
    return []


def _list_scans_with_findings(scan: Scan, vantage: str, table: ExplainedScans) -> Iterator[Scan]:
    """The scan itself; of a scan with members the one of the vantage."""
    if not scan.members:
        yield scan
        return
    for member in filter(None, map(table.get_scan, scan.members)):
        if member.vantage == vantage:
            yield member


def _find_evidence(finding: Finding, script: str, of_host: Iterable[Finding]) -> str:
    """The output of the script; for a port or a host, why nmap gave it its state."""
    if not script:
        facts = ((name, finding.attributes.get(name)) for name in PORT_FACTS)
        return ", ".join(f"{name} {_join(value)}" for name, value in facts if value not in (None, "", []))
    port = finding.attributes.get("protocol"), finding.attributes.get("port")
    others = sorted(of_host, key=lambda other: (other.attributes.get("protocol"), other.attributes.get("port")) != port)
    for other in (finding, *others):
        scripts = other.attributes.get("scripts")
        output = scripts.get(script) if isinstance(scripts, dict) else None
        if output:
            return str(output)
    return _to_text(finding.attributes.get("output"))


def _join(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _to_text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _read_rules(attributes: dict[str, Any]) -> RuleEffect | None:
    names = attributes.get("severity_rules")
    if not isinstance(names, list) or not names:
        return None
    return RuleEffect(
        rules=tuple(map(str, names)),
        severity_before=_to_text(attributes.get("original_severity")),
        suppressed=_to_text(attributes.get("suppressed")),
        accepted_until=str(attributes.get("accepted_until") or ""),
        accepted_reason=_to_text(attributes.get("accepted_reason")),
        acceptance_ended=str(attributes.get("acceptance_ended") or ""),
    )


# ---- since when


def _find_record(address: str, vantage: str, table: Inventory) -> HostRecord | None:
    if not is_address(address):
        return None
    key = str(parse_address(address))
    return table.known_hosts([key], vantage=vantage).get(key)


def _find_times(finding: Finding, record: HostRecord | None) -> tuple[datetime | None, datetime | None]:
    """When its port was seen open first and last, or its host up."""
    if record is None:
        return None, None
    key = finding.attributes.get("protocol"), finding.attributes.get("port")
    for port in record.ports:
        if port.key == key:
            return port.first_seen, port.last_seen
    return (record.first_seen, record.last_seen) if key == (None, None) else (None, None)


def _find_earlier(
    scan: Scan, vantage: str, finding: Finding, table: ExplainedScans
) -> tuple[tuple[tuple[str, datetime], ...], int]:
    """The earlier scans of the series that have the finding, and how many were looked through."""
    address = find_address(finding)
    if not is_address(address):
        return (), 0
    earlier = list(islice(list_earlier_scans(table, scan), MAX_SIGHTINGS_READ))
    seen = []
    for other in earlier:
        parts = _list_scans_with_findings(other, vantage, table)
        findings = (one for part in parts for one in table.findings_at(part.scan_id, [address]).get(address, ()))
        if any(one.fingerprint == finding.fingerprint for one in findings):
            seen.append((other.scan_id, other.requested_at))
    return tuple(seen), len(earlier)
