"""A finding for each port that nmap lists.

The category is what nmap knows about the port, so that a rule on `Open Port` matches open ports
only:

    state            category                  meaning
    open             Open Port                 the port answered
    open|filtered    Open or Filtered Port     no response: most open UDP ports, all filtered ports
    filtered         Filtered Port             a firewall blocks the probe
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
SECURECODEBOX_NAMES = {"service_product": "serviceProduct", "service_version": "serviceVersion"}
OPEN_PORT = "Open Port"
CATEGORIES = {
    "open": OPEN_PORT,
    "open|filtered": "Open or Filtered Port",
    "filtered": "Filtered Port",
    "unfiltered": "Unfiltered Port",
    "closed|filtered": "Closed or Filtered Port",
}


def port_findings(subject: Subject) -> Iterator[Finding]:
    """One finding for each listed port whose state has a category, in report order."""
    for port in subject.host.ports:
        category = CATEGORIES.get(port.state)
        if category:
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
    """What nmap detected beyond name, product and version. Empty fields are left out."""

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
        texts = s.extrainfo, s.ostype, s.devicetype, s.hostname, s.servicefp, s.banner
        if s.proto:
            return cls(*texts, s.proto, s.rpcnum, s.lowver, s.highver)
        return cls(*texts) if any(texts) else None


class PortAttributes(msgspec.Struct, frozen=True, gc=False, rename=SECURECODEBOX_NAMES):
    """The attributes of a port's finding.

    Source: secureCodeBox's nmap parser; those after `tunnel` are ours.

    `service` is nmap's own name for it, so that rules can match on it.
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
    """Output by script id: `scripts` as text, `scripts_data` as structure if a script has one."""
    outputs = {script.id: script.output for script in scripts}
    data = {script.id: script.data for script in scripts if script.data is not None}
    if len(outputs) < len(scripts):
        outputs, data = _merge_runs(scripts)
    return {"scripts": outputs or None, "scripts_data": data or None}


def _merge_runs(scripts: tuple[Script, ...]) -> tuple[dict[str, str], dict[str, Any]]:
    """For a script that ran repeatedly: its outputs as one text, its structures in a list."""
    outputs: dict[str, dict[str, None]] = {}
    data: dict[str, list[Any]] = {}
    for script in scripts:
        outputs.setdefault(script.id, {})[script.output] = None
        if script.data is not None:
            data.setdefault(script.id, []).append(script.data)
    joined_outputs = {script_id: "\n".join(texts) for script_id, texts in outputs.items()}
    joined_data: dict[str, Any] = {}
    for script_id, values in data.items():
        joined_data[script_id] = values[0] if len(values) == 1 else values
    return joined_outputs, joined_data
