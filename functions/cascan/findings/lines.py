"""Findings as JSON lines, the same as `findings_of` gives, encoded: for whoever needs the text and not the values.

A port's share of a finding, and the host's, are encoded once each and put together: many ports are alike, and a host's
attributes stand in each of its findings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from cascan.findings.hosts import host_finding
from cascan.findings.ports import PortShare, port_shares, share_of
from cascan.findings.scripts import host_script_findings, port_script_findings
from cascan.findings.shared import Wire, shared_scripts
from cascan.findings.subject import Subject
from cascan.ids import finding_id_of, fingerprint_of
from cascan.model.finding import Finding, FindingLine, Severity
from cascan.model.host import Host, Port

INFORMATIONAL = Severity.INFORMATIONAL.value
encode = msgspec.json.Encoder().encode


def finding_lines(host: Host, scan_id: str, parsed_at: datetime, names: Mapping[str, str] | None = None) -> bytes:
    """A line of JSON for each finding of the host, in the order of `findings_of`; empty for a host that is not up."""
    lines = lines_of(host, scan_id, parsed_at, names)
    return b"\n".join([*[encoded for _, _, _, encoded in lines], b""]) if lines else b""


def lines_of(
    host: Host, scan_id: str, parsed_at: datetime, names: Mapping[str, str] | None = None
) -> list[FindingLine]:
    """The findings of `findings_of`, encoded, one by one."""
    if host.state != "up":
        return []
    subject = Subject.of(host, scan_id, parsed_at, names or {})
    lines = _of_ports(subject)
    lines.append(line_of(host_finding(subject)))
    if any(port.scripts for port in host.ports):
        nameless = subject.asked_name is None
        for port in host.ports:
            lines += _of_scripts(subject, port, share_of(port) if nameless else None) if port.scripts else ()
    lines += map(line_of, host_script_findings(subject) if host.scripts else ())
    return lines


def line_of(finding: Finding) -> FindingLine:
    return FindingLine(finding.id, finding.severity.value, finding.category, encode(finding))


def _of_ports(subject: Subject) -> list[FindingLine]:
    scan_id, address = subject.scan_id, subject.address
    dated = b'","parsed_at":' + encode(subject.parsed_at) + b","
    authority = encode(subject.authority)[1:-1]
    of_host = b'","attributes":' + encode(subject.attributes)[:-1] + b","  # without the brace that closes it
    lines: list[FindingLine] = []
    for share in port_shares(subject.host):
        before, after = share.wire or _wire(share)
        fingerprint = fingerprint_of(share.category, address, share.protocol, share.number)
        own = finding_id_of(scan_id, fingerprint)
        ids = f'{{"id":"{own}","fingerprint":"{fingerprint}'.encode()
        text = b"".join((ids, dated, before, authority, b":%d" % share.port.number, of_host, after))
        lines.append(FindingLine(own, INFORMATIONAL, share.category, text))
    return lines


def _of_scripts(subject: Subject, port: Port, share: PortShare | None) -> Iterable[FindingLine]:
    """The lines of a port's scripts; those of a port that other hosts show too are made once."""
    if share is None:
        return map(line_of, port_script_findings(subject, port))
    if share.scripts is None or share.scripts[0] != subject.parsed_at:
        share.scripts = (subject.parsed_at, shared_scripts(port, subject.parsed_at))
    wires = share.scripts[1]
    if wires is None:
        return map(line_of, port_script_findings(subject, port))
    return _filled(subject, wires)


def _filled(subject: Subject, wires: tuple[Wire, ...]) -> list[FindingLine]:
    dated = b'","parsed_at":' + encode(subject.parsed_at) + b","
    authority = encode(subject.authority)[1:-1]
    of_host = b',"attributes":' + encode(subject.attributes)[:-1] + b","
    lines: list[FindingLine] = []
    for category, severity, about, before, (front, back), after in wires:
        fingerprint = fingerprint_of(category, subject.address, *about)
        own = finding_id_of(subject.scan_id, fingerprint)
        ids = f'{{"id":"{own}","fingerprint":"{fingerprint}'.encode()
        text = b"".join((ids, dated, before, front, authority, back, of_host, after))
        lines.append(FindingLine(own, severity, category, text))
    return lines


def _wire(share: PortShare) -> tuple[bytes, bytes]:
    """The share as text: up to the host's name in the location, and the attributes behind the host's."""
    told: dict[str, Any] = {
        "name": share.name,
        "description": share.description,
        "category": share.category,
        "severity": INFORMATIONAL,
        "osi_layer": "NETWORK",
        "location": f"{share.protocol}://",
    }
    share.wire = (encode(told)[1:-2], encode(share.attributes)[1:] + b"}")
    return share.wire
