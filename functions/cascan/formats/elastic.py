"""Elastic Common Schema 8, as lines for the bulk API of Elasticsearch and OpenSearch.

A finding is two lines: an action with its id, and a document. The id is the same in every scan, so
loading a newer export replaces the document, and what is gone is marked as gone. The index is named in
the call, not in the lines. What ECS has no field for is under `cascan`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import msgspec

from cascan.clock import to_wire
from cascan.formats.facts import (
    Place,
    find_place,
    list_cves,
    list_links,
    read_mitigation,
    read_reason_of_silence,
    read_text,
    to_limited_line,
)
from cascan.formats.ocsf import VULNERABILITY, find_class
from cascan.formats.records import VIOLATION, Export, Record, Status
from cascan.limits import MAX_ELASTIC_ID_CHARS, MAX_ELASTIC_KEYWORD_CHARS, MAX_EXPORTED_TEXT_CHARS
from cascan.model.finding import Finding, Severity

VERSION = "8.17.0"  # of ECS
LEVELS = {  # event.severity: a number that sorts
    Severity.HIGH: 73,
    Severity.MEDIUM: 47,
    Severity.LOW: 21,
    Severity.INFORMATIONAL: 0,
}
DATASET = "cascan.findings"
Fields = dict[str, Any]
_encode = msgspec.json.encode


def render_elastic(records: Iterable[Record], export: Export) -> Iterator[bytes]:
    for record in records:
        action = {"index": {"_id": record.uid[:MAX_ELASTIC_ID_CHARS]}}
        yield b"%b\n%b\n" % (_encode(action), _encode(_build_document(record, export)))


def _build_document(record: Record, export: Export) -> Fields:
    finding, place = record.finding, find_place(record.finding)
    groups = {
        "event": _build_event(record, export),
        "host": _build_host(place, finding),
        "observer": {"vendor": "cascan", "product": "cascan", "type": "scanner", "name": record.vantage},
        "labels": _build_labels(record),
        "cascan": _build_own_fields(record),
    }
    if place.port is not None:
        groups |= _build_port(place, finding)
    if find_class(record) == VULNERABILITY:
        groups["vulnerability"] = _build_vulnerability(record, export)
    return {
        "@timestamp": to_wire(record.seen_at),
        "ecs": {"version": VERSION},
        "message": to_limited_line(finding.description or finding.name or finding.category) or "finding",
        "tags": ["cascan"],
        **{name: known for name, fields in groups.items() if (known := _leave_out_unknown(fields))},
    }


def _build_event(record: Record, export: Export) -> Fields:
    finding = record.finding
    category = "vulnerability" if find_class(record) == VULNERABILITY else "host"
    links = list_links(finding)
    return {
        "kind": "alert" if record.change or finding.category == VIOLATION else "state",
        "category": [category],
        "type": ["change" if record.change and category == "host" else "info"],
        "module": "cascan",
        "provider": "cascan",
        "dataset": DATASET,
        "id": record.uid,
        "action": _to_keyword(record.change),
        "severity": LEVELS[finding.severity],
        "reason": to_limited_line(record.note or read_reason_of_silence(finding)),
        "reference": links[0] if links else "",
        "created": to_wire(export.generated_at),
        "start": to_wire(record.first_seen) if record.first_seen else "",
        "end": to_wire(finding.parsed_at) if record.status is Status.GONE else "",
    }


def _build_host(place: Place, finding: Finding) -> Fields:
    system = read_text(finding, "operating_system")
    return {
        "ip": [place.address] if place.address else [],
        "mac": [place.mac.upper().replace(":", "-")] if place.mac else [],
        "name": place.hostname or place.host,
        "hostname": place.hostname,
        "os": {"full": _to_keyword(system)} if system else {},
    }


def _build_port(place: Place, finding: Finding) -> dict[str, Fields]:
    """The port is that of a server, and what answers there is a service."""
    transport = place.protocol or "tcp"
    name = _to_keyword(read_text(finding, "service"))
    return {
        "server": {"address": place.host, "ip": place.address, "domain": place.hostname, "port": place.port},
        "network": {"transport": transport, "protocol": name.lower()},
        "service": {
            "name": _to_keyword(read_text(finding, "serviceProduct")) or name,
            "type": name,
            "version": _to_keyword(read_text(finding, "serviceVersion")),
            "address": place.uri,
            "state": _to_keyword(read_text(finding, "state")),
        },
    }


def _build_vulnerability(record: Record, export: Export) -> Fields:
    finding, cves = record.finding, list_cves(record.finding)
    return {
        "id": cves[0] if cves else "",
        "enumeration": "CVE" if cves else "",
        "category": [_to_keyword(finding.category)],
        "severity": finding.severity.capitalize(),
        "description": to_limited_line(finding.description or finding.name),
        "reference": (list_links(finding) or [""])[0],
        "scanner": {"vendor": f"cascan {export.version}"},
    }


def _build_labels(record: Record) -> Fields:
    """A dot in a name would make an object of it, which a label of another name may contradict."""
    return {_to_keyword(name).replace(".", "_") or "_": _to_keyword(value) for name, value in record.labels.items()}


def _build_own_fields(record: Record) -> Fields:
    finding, scan = record.finding, record.scan
    cves = list_cves(finding)
    return {
        "cves": cves if len(cves) > 1 else [],
        "finding_name": _to_keyword(finding.name),
        "category": _to_keyword(finding.category),
        "severity": finding.severity.lower(),
        "location": _to_keyword(finding.location),
        "status": record.status,
        "vantage": record.vantage,
        "covered": record.is_covered,
        "change": record.change,
        "owner": _to_keyword(record.owner),
        "series": _to_keyword(scan.fields.get("name")) if scan else "",
        "scan_id": scan.scan_id if scan else "",
        "mitigation": read_mitigation(finding),
    }


def _to_keyword(value: str | None) -> str:
    """Elasticsearch refuses a document with a longer term."""
    return _cut_keyword(value[: MAX_EXPORTED_TEXT_CHARS + 1]) if value else ""


@lru_cache(maxsize=1_024)  # of texts that are cut already: those of hosts may be long
def _cut_keyword(text: str) -> str:
    return to_limited_line(text)[:MAX_ELASTIC_KEYWORD_CHARS]


def _leave_out_unknown(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if value not in ("", None, [], {})}
