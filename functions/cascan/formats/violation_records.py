"""A check of the expected exposure → records: what is open and not expected, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from cascan.exposure.check import CheckedPort
from cascan.exposure.judge import VerdictKind
from cascan.formats.records import VIOLATION, Record
from cascan.ids import derive_finding_id, derive_fingerprint
from cascan.model.finding import Finding, Severity

SEVERITIES = {
    VerdictKind.UNEXPECTED_OPEN: Severity.HIGH,
    VerdictKind.OTHER_SERVICE: Severity.HIGH,
    VerdictKind.MISSING: Severity.MEDIUM,
    VerdictKind.ABSENT: Severity.MEDIUM,
}  # others are INFORMATIONAL, as they are not violations
NOT_CONFIRMED = "no two looks in a row agree on it"


def build_violation_records(ports: Iterable[CheckedPort], checked_at: datetime) -> Iterator[Record]:
    for port in ports:
        yield Record(
            finding=_build_finding(port, checked_at),
            vantage=port.vantage,
            last_seen=port.seen_at,
            owner=port.verdict.entry.owner if port.verdict.entry else "",
            note="" if port.is_confirmed else NOT_CONFIRMED,
        )


def _build_finding(port: CheckedPort, checked_at: datetime) -> Finding:
    (protocol, number), kind = port.key, port.verdict.kind
    host = port.address or port.name
    fingerprint = derive_fingerprint(VIOLATION, host, protocol, str(number), kind)
    authority = f"[{host}]" if ":" in host else host
    severity = SEVERITIES.get(kind, Severity.INFORMATIONAL)
    return Finding(
        id=derive_finding_id(port.vantage, fingerprint),
        fingerprint=fingerprint,
        parsed_at=checked_at,
        name=f"{kind}: {number}/{protocol}",
        description=f"{port.verdict.sentence[:1].upper()}{port.verdict.sentence[1:]}.",
        category=VIOLATION,
        severity=severity if port.is_confirmed else Severity.INFORMATIONAL,
        osi_layer="NETWORK",
        location=f"{protocol}://{authority}:{number}",
        attributes={
            "ip_addresses": [port.address] if port.address else [],
            "hostname": port.name or None,
            "protocol": protocol,
            "port": number,
            "state": port.state,
            "result": kind,
            "expectation": port.verdict.expectation,
            "line": port.verdict.line,
        },
    )
