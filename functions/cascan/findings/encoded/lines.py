"""Findings as JSON lines, equal to the encoded values of `build_findings`, for callers that need only the text.

encoder.py  encodes the findings of one host
cache.py    what many hosts have in common, encoded once
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime

from cascan.findings import build_findings
from cascan.findings.encoded.cache import EncodedFindingCache, cache_for
from cascan.findings.encoded.encoder import FindingEncoder, encode
from cascan.findings.scripts import host_script_findings, port_script_findings
from cascan.model.finding import Finding, FindingLine
from cascan.model.host import Host


def encode_finding_lines(
    host: Host, scan_id: str, parsed_at: datetime, names: Mapping[str, str] | None = None
) -> bytes:
    """A line of JSON for each finding of the host, as `build_findings` orders them; empty: the host is not up."""
    encoder = _encode_host(host, scan_id, parsed_at, names)
    if encoder and encoder.repeats_an_id:
        return b"".join([encode(finding) + b"\n" for finding in build_findings(host, scan_id, parsed_at, names)])
    return b"\n".join([*encoder.lines, b""]) if encoder else b""


def lines_of(
    host: Host, scan_id: str, parsed_at: datetime, names: Mapping[str, str] | None = None
) -> list[FindingLine]:
    """The findings of `build_findings`, encoded, one by one."""
    encoder = _encode_host(host, scan_id, parsed_at, names)
    if encoder and encoder.repeats_an_id:
        return [line_of(finding) for finding in build_findings(host, scan_id, parsed_at, names)]
    return encoder.to_finding_lines() if encoder else []


def line_of(finding: Finding) -> FindingLine:
    return FindingLine(finding.id, finding.severity.value, finding.category, encode(finding))


def _encode_host(
    host: Host, scan_id: str, parsed_at: datetime, names: Mapping[str, str] | None
) -> FindingEncoder | None:
    """The host's findings, encoded. None: the host is not up."""
    if host.state != "up":
        return None
    encoder, cache = FindingEncoder.of(host, scan_id, parsed_at, names or {}), cache_for(parsed_at)
    encoder.render(cache.get_port_templates(host.ports))
    encoder.write_host()
    _encode_scripts(host, encoder, cache)
    return encoder


def _encode_scripts(host: Host, encoder: FindingEncoder, cache: EncodedFindingCache) -> None:
    """The readers of scripts encode each finding as they yield it, so that they only have to be run to their end."""
    ports = [port for port in host.ports if port.scripts]
    if ports and encoder.asked_name is None:
        cache.write_scripts(ports, encoder)
    elif ports:
        deque(port_script_findings(encoder), maxlen=0)
    if host.scripts:
        deque(host_script_findings(encoder), maxlen=0)
