"""Findings as JSON lines, the same as `findings_of` gives, encoded: for whoever needs the text and not the values.

A port's share of a finding, and the host's, are encoded once each and put together: many ports are alike, and a host's
attributes stand in each of its findings.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from cascan.findings.hosts import host_finding
from cascan.findings.ports import PortShare, port_shares
from cascan.findings.scripts import script_findings
from cascan.findings.subject import Subject
from cascan.ids import finding_id_of, fingerprint_of
from cascan.model.finding import Severity
from cascan.model.host import Host

encode = msgspec.json.Encoder().encode


def finding_lines(host: Host, scan_id: str, parsed_at: datetime, names: Mapping[str, str] | None = None) -> bytes:
    """A line of JSON for each finding of the host, in the order of `findings_of`; empty for a host that is not up."""
    if host.state != "up":
        return b""
    subject = Subject.of(host, scan_id, parsed_at, names or {})
    parts = _port_lines(subject)
    parts += (encode(host_finding(subject)), b"\n")
    for finding in script_findings(subject):
        parts += (encode(finding), b"\n")
    return b"".join(parts)


def _port_lines(subject: Subject) -> list[bytes]:
    """The lines of the ports, in parts."""
    scan_id, address = subject.scan_id, subject.address
    dated = b'","parsed_at":' + encode(subject.parsed_at) + b","
    authority = encode(subject.authority)[1:-1]
    of_host = b'","attributes":' + encode(subject.attributes)[:-1] + b","  # without the brace that closes it
    parts: list[bytes] = []
    for share in port_shares(subject.host):
        before, after = share.wire or _wire(share)
        fingerprint = fingerprint_of(share.category, address, share.protocol, share.number)
        ids = f'{{"id":"{finding_id_of(scan_id, fingerprint)}","fingerprint":"{fingerprint}'
        parts += (ids.encode(), dated, before, authority, b":%d" % share.port.number, of_host, after)
    return parts


def _wire(share: PortShare) -> tuple[bytes, bytes]:
    """The share as text: up to the host's name in the location, and the attributes behind the host's."""
    told: dict[str, Any] = {
        "name": share.name,
        "description": share.description,
        "category": share.category,
        "severity": Severity.INFORMATIONAL,
        "osi_layer": "NETWORK",
        "location": f"{share.protocol}://",
    }
    share.wire = (encode(told)[1:-2], encode(share.attributes)[1:] + b"}\n")
    return share.wire
