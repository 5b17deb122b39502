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
from cascan.model.host import Host, Port, Script, Service

MAX_KNOWN_PORTS = 2_048  # shares kept; a full memory starts anew
MAX_SEEN_PORTS = 256
CATEGORIES = {
    "open": "Open Port",
    "open|filtered": "Open or Filtered Port",
    "filtered": "Filtered Port",
    "unfiltered": "Unfiltered Port",
    "closed|filtered": "Closed or Filtered Port",
}
_known: dict[int, PortShare] = {}  # by the id of the port: readers share equal ports
_seen: dict[int, Port] = {}  # by their ids, ports with scripts


class PortShare:
    """What a port says in its finding, whichever host it is of: hosts that show the same port share it."""

    __slots__ = ("attributes", "category", "description", "name", "number", "port", "protocol", "scripts", "wire")

    def __init__(self, port: Port, category: str) -> None:
        service = port.service.known_as if port.service else ""
        self.port = port
        self.category = category
        self.protocol = port.protocol
        self.number = str(port.number)
        self.name = f"{category}: {port.number} ({service})" if service else f"{category}: {port.number}"
        self.description = f"Port {port.number} is {port.state} using {port.protocol} protocol."
        self.attributes = port_attributes(port) | script_attributes(port.scripts)
        self.wire: tuple[bytes, bytes] | None = None  # as text around the location, once somebody asks: see lines.py
        self.scripts: Any = None  # what lines.py keeps of the scripts' findings


def port_shares(host: Host) -> Iterator[PortShare]:
    """The shares of the listed ports whose state has a category, in report order."""
    for port in host.ports:
        known = _known.get(id(port))
        if known is not None and known.port is port:
            yield known
        elif category := CATEGORIES.get(port.state):
            share = PortShare(port, category)
            if not port.scripts or _seen_before(port):
                if len(_known) >= MAX_KNOWN_PORTS:
                    _known.clear()
                _known[id(port)] = share  # the share holds the port, so no other can have its id
            yield share


def share_of(port: Port) -> PortShare | None:
    """The share of a port that hosts before this one showed too; None: it is not known."""
    known = _known.get(id(port))
    return known if known is not None and known.port is port else None


def port_findings(subject: Subject) -> Iterator[Finding]:
    """One finding for each listed port whose state has a category, in report order."""
    for share in port_shares(subject.host):
        yield subject.finding(
            share.protocol,
            share.number,
            name=share.name,
            description=share.description,
            category=share.category,
            location=subject.location(share.protocol, share.port.number),
            attributes=share.attributes,
        )


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


def _seen_before(port: Port) -> bool:
    """Whether the very port was seen lately: script output is long, and seldom the same twice."""
    if _seen.get(id(port)) is port:
        return True
    if len(_seen) >= MAX_SEEN_PORTS:
        _seen.clear()
    _seen[id(port)] = port
    return False


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
