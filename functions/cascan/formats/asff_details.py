"""The parts of an ASFF finding that say where it is: resource, network, process, vulnerabilities."""

from __future__ import annotations

from typing import Any

from cascan.formats.asff_text import clean_text
from cascan.formats.facts import Place, find_place, list_cves, list_links, read_mitigation
from cascan.formats.records import Record
from cascan.limits import (
    MAX_ASFF_DOMAIN_CHARS,
    MAX_ASFF_ID_CHARS,
    MAX_ASFF_OTHER_CHARS,
    MAX_ASFF_PROCESS_CHARS,
    MAX_ASFF_REMEDIATION_CHARS,
    MAX_ASFF_URL_CHARS,
    MAX_ASFF_URLS,
    MAX_ASFF_VULNERABILITIES,
)

MAX_SCORE = 10.0  # of CVSS


def build_details(record: Record, region: str, partition: str) -> dict[str, Any]:
    place = find_place(record.finding)
    return {
        "Resources": [build_resource(record, place, region, partition)],
        "Network": build_network(place),
        "Process": build_process(record),
        "Vulnerabilities": build_vulnerabilities(record),
        "Remediation": build_remediation(record),
    }


def build_resource(record: Record, place: Place, region: str, partition: str) -> dict[str, Any]:
    """The host, by its address: which resource of AWS it belongs to is not known here."""
    attributes = record.finding.attributes
    values = {
        "address": place.address,
        "hostname": place.hostname,
        "macAddress": place.mac,
        "operatingSystem": attributes.get("operating_system"),
        "port": f"{place.protocol}/{place.port}" if place.port is not None and place.protocol else "",
        "product": attributes.get("serviceProduct"),
        "version": attributes.get("serviceVersion"),
        "vantage": record.vantage,
        "owner": record.owner,
    }
    other = {name: clean_text(value, MAX_ASFF_OTHER_CHARS) for name, value in values.items() if value}
    return {
        "Type": "Other",
        "Id": clean_text(f"host/{place.address or record.finding.location or 'unknown'}", MAX_ASFF_ID_CHARS),
        "Partition": partition,
        "Region": region,
        "Details": {"Other": other},
    }


def build_network(place: Place) -> dict[str, Any]:
    """The port as a destination; empty for a finding of the host."""
    if place.port is None or not place.protocol:
        return {}
    family = "6" if ":" in place.address else "4"
    return {
        "Direction": "IN",
        "Protocol": place.protocol.upper(),
        f"DestinationIpV{family}": place.address,
        "DestinationPort": place.port,
        "DestinationDomain": clean_text(place.hostname, MAX_ASFF_DOMAIN_CHARS),
        "OpenPortRange": {"Begin": place.port, "End": place.port},
    }


def build_process(record: Record) -> dict[str, str]:
    """The program behind the port, where its version was probed."""
    product = record.finding.attributes.get("serviceProduct")
    is_probed = record.finding.attributes.get("method") == "probed"
    return {"Name": clean_text(product, MAX_ASFF_PROCESS_CHARS)} if product and is_probed else {}


def build_vulnerabilities(record: Record) -> list[dict[str, Any]]:
    """The CVEs that the finding names."""
    attributes = record.finding.attributes
    score: Any = attributes.get("cvss")
    exploit = attributes.get("exploit")
    common = {
        "Cvss": [{"BaseScore": float(score)}] if _is_score(score) else [],
        "ExploitAvailable": "YES" if exploit else "",
        "ReferenceUrls": _list_urls(record),
    }
    filled = {name: value for name, value in common.items() if value}
    return [{"Id": cve} | filled for cve in list_cves(record.finding)][:MAX_ASFF_VULNERABILITIES]


def build_remediation(record: Record) -> dict[str, Any]:
    """What a severity rule of the operator says to do, as secureCodeBox's `mitigation`."""
    text = clean_text(read_mitigation(record.finding), MAX_ASFF_REMEDIATION_CHARS)
    return {"Recommendation": {"Text": text}} if text else {}


def _is_score(score: Any) -> bool:
    return isinstance(score, (int, float)) and 0 <= score <= MAX_SCORE


def _list_urls(record: Record) -> list[str]:
    urls = [url for url in list_links(record.finding) if len(url) <= MAX_ASFF_URL_CHARS]
    return urls[:MAX_ASFF_URLS]
