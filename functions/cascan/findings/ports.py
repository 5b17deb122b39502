"""A finding for each port that nmap lists.

The category says what nmap knows, so that a rule on `Open Port` meets open ports and nothing else:

    state            category                  what was seen
    open             Open Port                 the port answered
    open|filtered    Open or Filtered Port     silence, as of most open UDP ports and of every filtered one
    filtered         Filtered Port             a filter kept the probe from the port
    unfiltered       Unfiltered Port           reachable, open or closed (an ACK scan cannot tell)
    closed|filtered  Closed or Filtered Port   an idle scan cannot tell
    closed, unknown  none
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cascan.findings.subject import Subject
from cascan.model.finding import Finding
from cascan.model.host import Port, Script, Service

CATEGORIES = {
    "open": "Open Port",
    "open|filtered": "Open or Filtered Port",
    "filtered": "Filtered Port",
    "unfiltered": "Unfiltered Port",
    "closed|filtered": "Closed or Filtered Port",
}


def port_findings(subject: Subject) -> Iterator[Finding]:
    """One finding for each listed port whose state has a category, in report order."""
    for port in subject.host.ports:
        if category := CATEGORIES.get(port.state):
            yield subject.finding(
                port.protocol,
                str(port.number),
                name=named(port, category),
                description=described(port),
                category=category,
                location=subject.location(port.protocol, port.number),
                attributes=port_attributes(port) | script_attributes(port.scripts),
            )


def named(port: Port, category: str) -> str:
    service = port.service.known_as if port.service else ""
    return f"{category}: {port.number} ({service})" if service else f"{category}: {port.number}"


def described(port: Port) -> str:
    return f"Port {port.number} is {port.state} using {port.protocol} protocol."


def port_attributes(port: Port) -> dict[str, Any]:
    """What a finding says of its port. Source: secureCodeBox's nmap parser; the last six are ours."""
    service = port.service or Service()
    return {
        "port": port.number,
        "state": port.state,
        "protocol": port.protocol,
        "method": service.method or None,
        "service": service.known_as or None,
        "serviceProduct": service.product or None,
        "serviceVersion": service.version or None,
        "tunnel": service.tunnel or "none",
        "cpe": list(service.cpe),
        "reason": port.reason,
        "reason_ttl": port.reason_ttl,
        "reason_ip": port.reason_ip or None,
        "confidence": service.confidence,
        "service_details": _details(service),
    }


def script_attributes(scripts: tuple[Script, ...]) -> dict[str, Any]:
    """Output of scripts by script id: as text, and as the structure behind it where a script gave one."""
    return {
        "scripts": {script.id: script.output for script in scripts} or None,
        "scripts_data": {script.id: script.data for script in scripts if script.data is not None} or None,
    }


def _details(service: Service) -> dict[str, str | int | None] | None:
    """What nmap knows beyond name, product and version; only what it gave."""
    details: dict[str, str | int | None] = {
        "extrainfo": service.extrainfo,
        "ostype": service.ostype,
        "devicetype": service.devicetype,
        "hostname": service.hostname,
        "servicefp": service.servicefp,
        "banner": service.banner,
    }
    if service.proto:
        details |= {
            "proto": service.proto,
            "rpcnum": service.rpcnum,
            "lowver": service.lowver,
            "highver": service.highver,
        }
    return {key: value for key, value in details.items() if value not in ("", None)} or None
