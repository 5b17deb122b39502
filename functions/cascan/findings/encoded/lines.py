"""Findings as JSON lines, the same as `build_findings` gives, encoded: for whoever needs the text and not the values.

encoder.py  writes the lines of one host
cache.py    what many hosts say alike, encoded once
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from cascan.findings import build_findings
from cascan.findings.encoded.cache import cache_for
from cascan.findings.encoded.encoder import FindingEncoder, encode
from cascan.findings.scripts import host_script_findings, port_script_findings
from cascan.model.finding import Finding, FindingLine
from cascan.model.host import Host


def encode_finding_lines(
    host: Host, scan_id: str, parsed_at: datetime, names: Mapping[str, str] | None = None
) -> bytes:
    """A line of JSON for each finding of the host, as `build_findings` orders them; empty: the host is not up."""
    scribe = _scribe(host, scan_id, parsed_at, names)
    if scribe and scribe.repeats_an_id:
        return b"".join([encode(finding) + b"\n" for finding in build_findings(host, scan_id, parsed_at, names)])
    return b"\n".join([*scribe.lines, b""]) if scribe else b""


def lines_of(
    host: Host, scan_id: str, parsed_at: datetime, names: Mapping[str, str] | None = None
) -> list[FindingLine]:
    """The findings of `build_findings`, encoded, one by one."""
    scribe = _scribe(host, scan_id, parsed_at, names)
    if scribe and scribe.repeats_an_id:
        return [line_of(finding) for finding in build_findings(host, scan_id, parsed_at, names)]
    return scribe.told() if scribe else []


def line_of(finding: Finding) -> FindingLine:
    return FindingLine(finding.id, finding.severity.value, finding.category, encode(finding))


def _scribe(host: Host, scan_id: str, parsed_at: datetime, names: Mapping[str, str] | None) -> FindingEncoder | None:
    """The host's findings, written. None: the host is not up."""
    if host.state != "up":
        return None
    scribe, shared = FindingEncoder.of(host, scan_id, parsed_at, names or {}), cache_for(parsed_at)
    scribe.fill(shared.of_ports(host.ports))
    scribe.write_host()
    with_scripts = [port for port in host.ports if port.scripts]
    if with_scripts and scribe.asked_name is None:
        shared.write_scripts(with_scripts, scribe)
    elif with_scripts:
        for _ in port_script_findings(scribe):
            pass
    for _ in host_script_findings(scribe) if host.scripts else ():
        pass
    return scribe
