"""The elements of a CycloneDX document: a host, a service, its software, a vulnerability."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import Any

from cascan.clock import to_wire
from cascan.formats.facts import (
    CWES,
    Place,
    list_cves,
    list_links,
    read_mitigation,
    read_reason_of_silence,
    read_text,
    to_limited_line,
)
from cascan.formats.records import Record, Status
from cascan.limits import MAX_CYCLONEDX_VERSION_CHARS
from cascan.model.finding import Finding, Severity

Element = dict[str, Any]
RATINGS = {
    Severity.HIGH: "high",
    Severity.MEDIUM: "medium",
    Severity.LOW: "low",
    Severity.INFORMATIONAL: "info",
}
CPE = re.compile(r"cpe:/[aho](:[A-Za-z0-9._~%-]*){1,6}", re.ASCII)  # as nmap writes them
NVD = "https://nvd.nist.gov/vuln/detail/"


def build_device(ref: str, name: str, place: Place, record: Record) -> Element:
    texts = {
        "address": place.address,
        "hostname": place.hostname,
        "mac": place.mac,
        "vantage": record.vantage,
        "owner": record.owner,
        "operating_system": read_text(record.finding, "operating_system"),
        **{f"label:{name}": value for name, value in sorted(record.labels.items())},
    }
    return {"type": "device", "bom-ref": ref, "name": name, "properties": list_properties(texts)}


def build_service(ref: str, place: Place, record: Record) -> Element:
    finding = record.finding
    texts = {
        "vantage": record.vantage,
        "first_seen": to_wire(record.first_seen) if record.first_seen else "",
        "last_seen": to_wire(record.seen_at),
        "tunnel": read_text(finding, "tunnel"),
        "covered": "" if record.is_covered else "false",
        "change": record.change,
        "note": record.note,
    }
    return {
        "bom-ref": ref,
        "name": read_text(finding, "service") or f"{place.protocol or 'tcp'}/{place.port}",
        "endpoints": [_build_endpoint(place)],
        "properties": list_properties(texts),
    }


def _build_endpoint(place: Place) -> str:
    """The URI with all digits of an IPv6 address: validators of this format refuse the short form."""
    if ":" not in place.address:
        return place.uri
    return place.uri.replace(place.address, IPv6Address(place.address).exploded)


def build_software(ref: str, finding: Finding) -> Element | None:
    """The component of what answers at the port. None: neither its product nor a CPE is known."""
    listed = finding.attributes.get("cpe")
    cpes = [cpe for cpe in (listed if isinstance(listed, list) else ()) if isinstance(cpe, str) and CPE.fullmatch(cpe)]
    product = read_text(finding, "serviceProduct")
    applications = [cpe for cpe in cpes if cpe.startswith("cpe:/a")]
    if not product and not applications:
        return None
    component = {"type": "application", "bom-ref": ref, "name": product or applications[0]}
    version = read_text(finding, "serviceVersion")[:MAX_CYCLONEDX_VERSION_CHARS]
    optional = {"version": version, "cpe": next(iter(applications), "")}
    return component | {name: value for name, value in optional.items() if value}


def build_vulnerability(subject: str, record: Record) -> Element:
    finding = record.finding
    cves = list_cves(finding)
    name = to_limited_line(finding.name) or to_limited_line(finding.category) or "finding"
    element: Element = {
        "bom-ref": record.uid,
        "id": cves[0] if cves else name,
        "source": _name_source(cves[0]) if cves else {"name": "cascan"},
        "ratings": [{"severity": RATINGS[finding.severity], "method": "other"}],
        "description": to_limited_line(finding.description) or name,
        "affects": [{"ref": subject}],
    }
    optional = {
        "references": [{"id": cve, "source": _name_source(cve)} for cve in cves[1:]],
        "cwes": [CWES[finding.category]] if finding.category in CWES else [],
        "recommendation": read_mitigation(finding),
        "advisories": [{"url": link} for link in list_links(finding)],
        "properties": list_properties({"category": finding.category, "note": record.note}),
    }
    if record.status is Status.SUPPRESSED:
        optional["analysis"] = {"response": ["will_not_fix"], "detail": read_reason_of_silence(finding)}
    return element | {name: value for name, value in optional.items() if value}


def _name_source(cve: str) -> Element:
    return {"name": "NVD", "url": NVD + cve}


def list_properties(texts: dict[str, str]) -> list[Element]:
    lines = {name: to_limited_line(text) for name, text in texts.items()}
    return [{"name": to_limited_line(f"cascan:{name}"), "value": text} for name, text in lines.items() if text]
