"""What the search index keeps of a finding: the columns of its row, its words, and marks.

A mark is one word that stands for a value that filters ask for, such as a severity or a network.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import blake2s
from typing import Any

import msgspec

from cascan.model.finding import Finding, Severity
from cascan.model.scan import Scan
from cascan.nmap.addresses import parse_address
from cascan.queries.finding_query import SEVERITIES, FindingQuery, list_addresses
from cascan.queries.search import SearchText, find_words, is_port, may_be_beginning, read_text
from cascan.rules.severity import ACCEPTED, SUPPRESSED, to_count_key

NETWORK_BITS = {4: (32, 24, 16, 8), 6: (128, 64, 48, 32)}  # for which an address has marks, narrow ones first


def build_stamp(scan: Scan) -> str:
    """Differs once the scan has other findings: they were made anew, or the scan was rebuilt."""
    facts = scan.state, scan.outcome, scan.finished_at, scan.findings_revision, scan.findings
    return blake2s(msgspec.json.encode(facts, order="deterministic"), digest_size=8).hexdigest()


def build_match(text: SearchText, query: FindingQuery) -> str:
    """The expression for FTS5. It holds normalized words alone, in quotation marks, so none of it is
    syntax. Marks leave out most of what the query does not select; `FindingQuery.fits` decides.
    Empty: every finding may match.
    """
    conditions = [f'(body : "{phrase}"{" *" if may_be_beginning(phrase) else ""})' for phrase in text.phrases]
    choices = [
        [_mark("severity", severity) for severity in query.severities],
        _mark_hosts(query),
        [_mark("port", *key) for key in query.ports],
        [_mark("service", query.service)] if query.service else [],
        [_mark("category", query.category.casefold())] if query.category else [],
    ]
    for marks in filter(None, choices):
        alternatives = " OR ".join(f'"{mark}"' for mark in sorted(marks))
        conditions.append(f"(marks : ({alternatives}))")
    return " AND ".join(conditions)


def _mark_hosts(query: FindingQuery) -> list[str]:
    """Marks that each host of the query has one of; none if a network is wider than any mark."""
    marks = [_mark("hostname", name) for name in query.hostnames]
    for family, low, high in query.networks:
        for bits in NETWORK_BITS[family]:
            shift = NETWORK_BITS[family][0] - bits
            if low >> shift == high >> shift:
                marks.append(_mark("network", family, bits, low >> shift))
                break
        else:
            return []
    return marks


def build_words(finding: Finding) -> tuple[str, str]:
    return find_words(finding), " ".join(_find_marks(finding))


def _find_marks(finding: Finding) -> Iterator[str]:
    attributes = finding.attributes
    yield _mark("severity", to_count_key(finding))
    yield _mark("category", finding.category.casefold())
    yield _mark("port", attributes.get("protocol"), attributes.get("port"))
    yield _mark("service", attributes.get("service"))
    yield _mark("hostname", str(attributes.get("hostname") or "").casefold())
    for text in list_addresses(finding):
        with suppress(ValueError):
            address = parse_address(text)
            family, number = address.version, int(address)
            for bits in NETWORK_BITS[family]:
                yield _mark("network", family, bits, number >> (NETWORK_BITS[family][0] - bits))


def _mark(*values: object) -> str:
    """One word for the values, of letters and digits."""
    return blake2s("/".join(map(str, values)).encode("utf-8", "replace"), digest_size=6).hexdigest()


def build_row(finding: Finding) -> tuple[Any, ...]:
    attributes = finding.attributes
    port = attributes.get("port")
    return (
        finding.parsed_at.isoformat(),
        to_count_key(finding),
        finding.category,
        " ".join(list_addresses(finding)),
        *(read_text(attributes.get(name)) for name in ("hostname", "protocol")),
        port if is_port(port) else None,
        read_text(attributes.get("service")),
        finding.name,
        finding.location,
    )


def read_finding(columns: list[Any]) -> Finding:
    """As much of the finding as a query and a result look at."""
    parsed_at, severity, category, addresses, hostname, protocol, port, service, name, location = columns
    attributes: dict[str, Any] = {
        "ip_addresses": addresses.split(),
        "hostname": hostname,
        "protocol": protocol,
        "port": port,
        "service": service,
    }
    if severity == SUPPRESSED:
        attributes["suppressed"] = ""
    elif severity == ACCEPTED:
        attributes["accepted_until"] = ""
    return Finding(
        id="",
        fingerprint="",
        parsed_at=read_time(parsed_at),
        name=name,
        description="",
        category=category,
        severity=Severity(severity) if severity in SEVERITIES else Severity.INFORMATIONAL,
        osi_layer="",
        location=location,
        attributes=attributes,
    )


def read_time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
