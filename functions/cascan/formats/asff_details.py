"""The parts of an ASFF finding that say where it is: resource, network, process, vulnerabilities."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from cascan.findings.vulns import CVE
from cascan.formats.asff_text import clean_text
from cascan.formats.records import Record
from cascan.limits import (
    MAX_ASFF_DOMAIN_CHARS,
    MAX_ASFF_ID_CHARS,
    MAX_ASFF_OTHER_CHARS,
    MAX_ASFF_PROCESS_CHARS,
    MAX_ASFF_PROTOCOL_CHARS,
    MAX_ASFF_REMEDIATION_CHARS,
    MAX_ASFF_URL_CHARS,
    MAX_ASFF_URLS,
    MAX_ASFF_VULNERABILITIES,
    MAX_PORT,
)
from cascan.nmap.addresses import parse_address

WEB_ADDRESS = re.compile(r"https?://[\x21-\x7e]+")
MAX_SCORE = 10.0  # of CVSS


def build_details(record: Record, region: str, partition: str) -> dict[str, Any]:
    return {
        "Resources": [build_resource(record, region, partition)],
        "Network": build_network(record),
        "Process": build_process(record),
        "Vulnerabilities": build_vulnerabilities(record),
        "Remediation": build_remediation(record),
    }


def build_resource(record: Record, region: str, partition: str) -> dict[str, Any]:
    """The host, by its address: which resource of AWS it belongs to is not known here."""
    attributes = record.finding.attributes
    address = find_address(record)
    port, protocol = attributes.get("port"), attributes.get("protocol")
    values = {
        "address": address,
        "hostname": attributes.get("hostname"),
        "macAddress": attributes.get("mac_address"),
        "operatingSystem": attributes.get("operating_system"),
        "port": f"{protocol}/{port}" if port is not None and protocol else "",
        "product": attributes.get("serviceProduct"),
        "version": attributes.get("serviceVersion"),
        "vantage": record.vantage,
        "owner": record.owner,
    }
    other = {name: clean_text(value, MAX_ASFF_OTHER_CHARS) for name, value in values.items() if value}
    return {
        "Type": "Other",
        "Id": clean_text(f"host/{address or record.finding.location or 'unknown'}", MAX_ASFF_ID_CHARS),
        "Partition": partition,
        "Region": region,
        "Details": {"Other": other},
    }


def build_network(record: Record) -> dict[str, Any]:
    """The port as a destination; empty for a finding of the host."""
    attributes = record.finding.attributes
    port, protocol = attributes.get("port"), attributes.get("protocol")
    if not _is_port(port) or not protocol:
        return {}
    address = find_address(record)
    family = "6" if ":" in address else "4"
    return {
        "Direction": "IN",
        "Protocol": clean_text(str(protocol).upper(), MAX_ASFF_PROTOCOL_CHARS),
        f"DestinationIpV{family}": address,
        "DestinationPort": port,
        "DestinationDomain": clean_text(attributes.get("hostname"), MAX_ASFF_DOMAIN_CHARS),
        "OpenPortRange": {"Begin": port, "End": port},
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
        "ReferenceUrls": list(_find_urls(record)),
    }
    filled = {name: value for name, value in common.items() if value}
    return [{"Id": cve} | filled for cve in _find_cves(record)][:MAX_ASFF_VULNERABILITIES]


def build_remediation(record: Record) -> dict[str, Any]:
    """What a severity rule of the operator says to do, as secureCodeBox's `mitigation`."""
    added = record.finding.added
    mitigation = added.get("mitigation") if added is not msgspec.UNSET else ""
    text = clean_text(mitigation, MAX_ASFF_REMEDIATION_CHARS) if isinstance(mitigation, str) else ""
    return {"Recommendation": {"Text": text}} if text else {}


def find_address(record: Record) -> str:
    """The host's first address; empty if it has none."""
    addresses = record.finding.attributes.get("ip_addresses")
    for text in addresses if isinstance(addresses, list) else ():
        try:
            return str(parse_address(str(text)))
        except ValueError:  # a report may hold any text
            continue
    return ""


def _is_score(score: Any) -> bool:
    return isinstance(score, (int, float)) and 0 <= score <= MAX_SCORE


def _is_port(port: object) -> bool:
    return isinstance(port, int) and 0 <= port <= MAX_PORT


def _find_cves(record: Record) -> list[str]:
    cves = [record.finding.attributes.get("cve"), *_list_references(record, "CVE")]
    return list(dict.fromkeys(cve for cve in cves if isinstance(cve, str) and CVE.fullmatch(cve)))


def _find_urls(record: Record) -> Iterator[str]:
    urls = [url for url in _list_references(record, "URL") if WEB_ADDRESS.fullmatch(url)]
    yield from [url for url in urls if len(url) <= MAX_ASFF_URL_CHARS][:MAX_ASFF_URLS]


def _list_references(record: Record, kind: str) -> Iterator[str]:
    references = record.finding.attributes.get("references")
    for reference in references if isinstance(references, list) else ():
        if isinstance(reference, dict) and reference.get("type") == kind:
            yield str(reference.get("value"))
