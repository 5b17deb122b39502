"""DefectDojo's Generic Findings Import, as JSON.

`unique_id_from_tool` is the same in every scan, so an import finds the finding of the one before.
A finding that is missing in the export is closed by DefectDojo if the import has
`close_old_findings`. So what no scan looked at again has to be in the export; see `is_covered`.
Unknown fields are errors there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import msgspec

from cascan.clock import to_wire
from cascan.formats.facts import (
    CWES,
    Place,
    find_place,
    list_cves,
    list_links,
    read_mitigation,
    read_reason_of_silence,
    read_text,
    to_limited_line,
    to_slug,
)
from cascan.formats.markdown import escape_markdown
from cascan.formats.records import Export, Record, Status
from cascan.formats.text import shorten
from cascan.limits import MAX_DEFECTDOJO_TAG_CHARS, MAX_DEFECTDOJO_TITLE_CHARS
from cascan.model.finding import Severity

SEVERITIES = {
    Severity.HIGH: "High",
    Severity.MEDIUM: "Medium",
    Severity.LOW: "Low",
    Severity.INFORMATIONAL: "Info",
}
SHOWN = {"service": "Service", "serviceProduct": "Product", "serviceVersion": "Version", "banner": "Banner",
         "title": "Title", "operating_system": "Operating system"}  # fmt: skip
MAX_VERSION_CHARS, MAX_NAME_CHARS = 100, 200
_encode = msgspec.json.encode


def render_defectdojo(records: Iterable[Record], export: Export) -> Iterator[bytes]:
    yield b'{"name":"cascan","version":' + _encode(export.version) + b',"dynamic_tool":true,"static_tool":false'
    description = " ".join(map(to_limited_line, (f"{export.title}.", *export.notes)))
    yield b',"description":' + _encode(description) + b',"findings":['
    separator = b"\n"
    for record in records:
        yield separator + _encode(_build_finding(record))
        separator = b",\n"
    yield b"\n]}\n"


def _build_finding(record: Record) -> dict[str, Any]:
    finding, place = record.finding, find_place(record.finding)
    cves = list_cves(finding)
    category = to_limited_line(finding.category)
    title = " ".join(filter(None, (to_limited_line(finding.name) or category, place.host and f"on {place.host}")))
    fields: dict[str, Any] = {
        "title": shorten(title or "finding", MAX_DEFECTDOJO_TITLE_CHARS),
        "severity": SEVERITIES[finding.severity],
        "description": _describe(record, place),
        "date": (record.first_seen or finding.parsed_at).date().isoformat(),
        "unique_id_from_tool": record.uid,
        "vuln_id_from_tool": cves[0] if cves else to_slug(finding.category),
        "active": record.status is Status.OPEN,
        "dynamic_finding": True,
        "static_finding": False,
        "tags": _list_tags(record),
    }
    optional = {
        "endpoints": _list_endpoints(place),
        "vulnerability_ids": cves,
        "cwe": CWES.get(finding.category),
        "references": "\n".join(list_links(finding)),
        "mitigation": escape_markdown(read_mitigation(finding)),
        "service": shorten(read_text(finding, "service"), MAX_NAME_CHARS),
        "component_name": shorten(read_text(finding, "serviceProduct"), MAX_NAME_CHARS),
        "component_version": shorten(read_text(finding, "serviceVersion"), MAX_VERSION_CHARS),
    }
    fields |= {name: value for name, value in optional.items() if value}
    if record.status is Status.GONE:
        fields |= {"is_mitigated": True, "mitigated": to_wire(finding.parsed_at)}
    if record.status is Status.SUPPRESSED:
        reason = escape_markdown(read_reason_of_silence(finding))
        fields |= {"risk_accepted": True, "severity_justification": reason}
    return fields


def _describe(record: Record, place: Place) -> str:
    """Markdown, a fact a line."""
    finding = record.finding
    facts = {
        "Place": place.uri or to_limited_line(finding.location),
        "Vantage": record.vantage,
        "Owner": to_limited_line(record.owner),
        "First seen": to_wire(record.first_seen) if record.first_seen else "",
        "Last seen": to_wire(record.seen_at),
        "Change": record.change,
        "Note": to_limited_line(record.note),
        **{title: read_text(finding, name) for name, title in SHOWN.items()},
    }
    lines = [escape_markdown(to_limited_line(finding.description or finding.name or finding.category)), ""]
    lines += [f"- {title}: {escape_markdown(text)}" for title, text in facts.items() if text]
    return "\n".join(lines)


def _list_endpoints(place: Place) -> list[dict[str, Any]]:
    host = place.address or place.hostname
    if not host:
        return []
    if place.port is None:
        return [{"host": host}]
    return [{"protocol": place.protocol or "tcp", "host": host, "port": place.port}]


def _list_tags(record: Record) -> list[str]:
    labels = [f"{name}={value}" for name, value in sorted(record.labels.items())]
    tags = ["cascan", to_slug(record.finding.category), f"vantage={record.vantage}", *labels]
    if not record.is_covered:
        tags.append("not-covered")
    return [_to_tag(tag) for tag in tags]


@lru_cache(maxsize=1_024)
def _to_tag(text: str) -> str:
    """Commas, quotes and blanks separate tags there."""
    plain = "".join(char if char.isalnum() or char in "-_.=:/@" else "-" for char in text)
    return plain[:MAX_DEFECTDOJO_TAG_CHARS]
