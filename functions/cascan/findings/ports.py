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

import msgspec

from cascan.findings.subject import Subject
from cascan.model.finding import Finding
from cascan.model.host import Port, Script, Service

NO_SERVICE = Service()
SECURECODEBOX_NAMES = {"service_product": "serviceProduct", "service_version": "serviceVersion"}  # secureCodeBox's
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
                name=name_port_finding(port, category),
                description=describe_port(port),
                category=category,
                location=subject.location(port.protocol, port.number),
                attributes=port_attributes(port) | script_attributes(port.scripts),
            )


def name_port_finding(port: Port, category: str) -> str:
    service = port.service.name if port.service else ""
    return f"{category}: {port.number} ({service})" if service else f"{category}: {port.number}"


def describe_port(port: Port) -> str:
    return f"Port {port.number} is {port.state} using {port.protocol} protocol."


class ServiceDetails(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What nmap knows beyond name, product and version; only what it gave."""

    extrainfo: str = ""
    ostype: str = ""
    devicetype: str = ""
    hostname: str = ""
    servicefp: str = ""
    banner: str = ""
    proto: str = ""
    rpcnum: int | None = None
    lowver: int | None = None
    highver: int | None = None

    @classmethod
    def of(cls, service: Service) -> ServiceDetails | None:
        s = service
        told = s.extrainfo, s.ostype, s.devicetype, s.hostname, s.servicefp, s.banner
        if s.proto:
            return cls(*told, s.proto, s.rpcnum, s.lowver, s.highver)
        return cls(*told) if any(told) else None


class PortAttributes(msgspec.Struct, frozen=True, gc=False, rename=SECURECODEBOX_NAMES):
    """What a finding says of its port. Source: secureCodeBox's nmap parser; those behind `tunnel` are ours.

    Rules match on `service`: it is nmap's own word.
    """

    port: int
    state: str
    protocol: str
    method: str | None
    service: str | None
    service_product: str | None
    service_version: str | None
    tunnel: str
    application_protocol: str | None  # `https` where nmap says `http` inside `ssl`
    cpe: list[str]
    reason: str
    reason_ttl: int | None
    reason_ip: str | None
    confidence: int | None
    service_details: ServiceDetails | None

    @classmethod
    def of(cls, port: Port) -> PortAttributes:
        service = port.service or NO_SERVICE
        return cls(
            port.number,
            port.state,
            port.protocol,
            service.method or None,
            service.name or None,
            service.product or None,
            service.version or None,
            service.tunnel or "none",
            service.common_name or None,
            list(service.cpe),
            port.reason,
            port.reason_ttl,
            port.reason_ip or None,
            service.confidence,
            ServiceDetails.of(service),
        )


def port_attributes(port: Port) -> dict[str, Any]:
    attributes: dict[str, Any] = msgspec.to_builtins(PortAttributes.of(port))
    return attributes


def script_attributes(scripts: tuple[Script, ...]) -> dict[str, Any]:
    """Output of scripts by script id: as text, and as the structure behind it where a script gave one."""
    outputs = {script.id: script.output for script in scripts}
    data = {script.id: script.data for script in scripts if script.data is not None}
    if len(outputs) < len(scripts):
        outputs, data = _several_runs(scripts)
    return {"scripts": outputs or None, "scripts_data": data or None}


def _several_runs(scripts: tuple[Script, ...]) -> tuple[dict[str, str], dict[str, Any]]:
    """Where a script ran more than once: its outputs one behind the other, its structures in a list."""
    outputs: dict[str, dict[str, None]] = {}
    data: dict[str, list[Any]] = {}
    for script in scripts:
        outputs.setdefault(script.id, {})[script.output] = None
        if script.data is not None:
            data.setdefault(script.id, []).append(script.data)
    joined = {identity: "\n".join(texts) for identity, texts in outputs.items()}
    return joined, {identity: found[0] if len(found) == 1 else found for identity, found in data.items()}
