"""Findings of places that the inventory or a change knows, where the finding of a scan is not at hand.

Their fingerprints are those of the scan's own findings, so a format gives both the same id.
"""

from __future__ import annotations

from cascan.findings.hosts import host_finding
from cascan.findings.ports import port_findings
from cascan.findings.subject import Subject
from cascan.inventory.observations import ASSUMED_UP
from cascan.model.finding import Finding
from cascan.model.host import Address, Host, Port, Service
from cascan.model.inventory import OPEN, PortKey, Sighting

HOST_UP = "up"


def build_place_finding(address: str, hostname: str, key: PortKey | None, seen: Sighting) -> Finding:
    """The finding of an open port; without a key that of the host. Its time and scan are those of the sighting."""
    ports: tuple[Port, ...] = ()
    if key is not None:
        protocol, number = key
        service = Service(
            name=seen.service,
            product=seen.product,
            version=seen.version,
            extrainfo=seen.extrainfo,
            tunnel=seen.tunnel,
            cpe=seen.cpe,
            method="probed" if seen.probed else "table",
        )
        ports = (Port(protocol=protocol, number=number, state=OPEN, service=service),)
    host = Host(
        state=HOST_UP,
        reason=ASSUMED_UP,
        addresses=(Address(address, "ipv6" if ":" in address else "ipv4"),),
        ports=ports,
    )
    subject = Subject.of(host, seen.scan_id, seen.seen_at, {address: hostname} if hostname else {})
    return next(port_findings(subject)) if ports else host_finding(subject)
