"""SARIF 2.1.0: one run. Hosts are not files, so the location of a result is a URI such as tcp://10.0.0.5:22.

Results come before the rules that they refer to: JSON has no order, and so nothing has to be kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import uuid5

import msgspec

from cascan.clock import to_wire
from cascan.formats.facts import (
    CWES,
    find_place,
    list_cves,
    list_links,
    read_mitigation,
    read_reason_of_silence,
    to_limited_line,
    to_slug,
)
from cascan.formats.records import Export, Record, Status
from cascan.ids import NAMESPACE
from cascan.limits import MAX_SARIF_RULES
from cascan.model.finding import Severity

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT = "cascanFinding/v1"
LEVELS = {
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFORMATIONAL: "note",
}
# Of 10, as code scanning services sort results by it
SECURITY_SEVERITY = {
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.0",
    Severity.LOW: "2.0",
    Severity.INFORMATIONAL: "0.0",
}
BASELINE = {
    "PortOpened": "new",
    "HostAppeared": "new",
    "ServiceChanged": "updated",
    "HostMoved": "updated",
    "PortClosed": "absent",
    "HostGone": "absent",
}
OTHER_RULE = "other"
_encode = msgspec.json.encode


def render_sarif(records: Iterable[Record], export: Export) -> Iterator[bytes]:
    rules = _Rules()
    yield b'{"$schema":' + _encode(SCHEMA) + b',"version":"2.1.0","runs":[{"columnKind":"unicodeCodePoints","results":['
    separator = b"\n"
    for record in records:
        yield separator + _encode(_build_result(record, rules.add(record)))
        separator = b",\n"
    driver = {"name": "cascan", "version": export.version, "rules": rules.build()}
    invocation = {"executionSuccessful": True, "endTimeUtc": to_wire(export.generated_at)}
    properties = {"title": to_limited_line(export.title), "notes": list(map(to_limited_line, export.notes))}
    yield b'\n],"tool":' + _encode({"driver": driver})
    yield b',"invocations":' + _encode([invocation]) + b',"properties":' + _encode(properties) + b"}]}\n"


class _Rules:
    """The categories of the results, each with its worst severity."""

    def __init__(self) -> None:
        self._categories: dict[str, tuple[str, Severity]] = {}

    def add(self, record: Record) -> str:
        """The id of the rule of a record."""
        finding = record.finding
        rule_id = to_slug(finding.category)
        if rule_id not in self._categories and len(self._categories) >= MAX_SARIF_RULES:
            rule_id = OTHER_RULE
        title, worst = self._categories.get(rule_id, (finding.category, finding.severity))
        severities = list(LEVELS)
        self._categories[rule_id] = title, min(worst, finding.severity, key=severities.index)
        return rule_id

    def build(self) -> list[dict[str, Any]]:
        return [
            {
                "id": rule_id,
                "shortDescription": {"text": to_limited_line(title) or rule_id},
                "defaultConfiguration": {"level": LEVELS[worst]},
                "properties": {"tags": _list_tags(title), "security-severity": SECURITY_SEVERITY[worst]},
            }
            for rule_id, (title, worst) in self._categories.items()
        ]


def _list_tags(category: str) -> list[str]:
    return ["security", *([f"external/cwe/cwe-{CWES[category]}"] if category in CWES else [])]


def _build_result(record: Record, rule_id: str) -> dict[str, Any]:
    finding = record.finding
    text = to_limited_line(finding.description or finding.name or finding.category) or rule_id
    result: dict[str, Any] = {
        "ruleId": rule_id,
        "level": LEVELS[finding.severity],
        "message": {"text": f"{text} ({record.note})" if record.note else text},
        "correlationGuid": str(uuid5(NAMESPACE, f"record/{record.uid}")),
        "partialFingerprints": {FINGERPRINT: record.uid},
        "locations": [_build_location(record)],
        "properties": _build_properties(record),
    }
    baseline = BASELINE.get(record.change) or ("absent" if record.status is Status.GONE else "")
    if baseline:
        result["baselineState"] = baseline
    if record.status is Status.SUPPRESSED:
        justification = read_reason_of_silence(finding)
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": justification}]
    return result


def _build_location(record: Record) -> dict[str, Any]:
    place = find_place(record.finding)
    name = to_limited_line(place.uri or place.host or record.finding.location) or "unknown"
    location: dict[str, Any] = {"logicalLocations": [{"fullyQualifiedName": name, "kind": "resource"}]}
    if place.uri:
        location["physicalLocation"] = {"artifactLocation": {"uri": place.uri}}
    return location


def _build_properties(record: Record) -> dict[str, Any]:
    finding = record.finding
    properties = {
        "severity": finding.severity,
        "category": to_limited_line(finding.category),
        "name": to_limited_line(finding.name),
        "vantage": record.vantage,
        "status": record.status,
        "covered": record.is_covered,
        "firstSeen": to_wire(record.first_seen) if record.first_seen else None,
        "lastSeen": to_wire(record.seen_at),
        "owner": to_limited_line(record.owner),
        "cves": list_cves(finding),
        "links": list_links(finding),
        "mitigation": read_mitigation(finding),
    }
    return {name: value for name, value in properties.items() if value not in ("", None, [])}
