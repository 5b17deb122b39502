"""A host as nmap saw it → findings in secureCodeBox's format, rule for rule what its nmap parser makes, bugs aside.

    ports.py     a finding per listed port, its category from the port's state
    hosts.py     a finding per host
    scripts.py   findings from the output of NSE scripts, by a table that is easy to extend
    subject.py   what all of them say of the host, and the ids they get

Text from the scanned host (banners, titles, names) is carried as it came: data, to be escaped by whoever shows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from cascan.findings.hosts import host_finding
from cascan.findings.ports import port_findings
from cascan.findings.scripts import script_findings
from cascan.findings.subject import Subject
from cascan.model.finding import Finding
from cascan.model.host import Host

__all__ = ["findings_of"]


def findings_of(
    host: Host, scan_id: str, parsed_at: datetime, names: Mapping[str, str] | None = None
) -> Iterator[Finding]:
    """Findings of the host: of its ports, of itself, of its scripts. None of a host that is not up.

    `names`, address → name, says under which name the request asked for an address; it wins over reverse DNS.
    """
    if host.state != "up":
        return
    subject = Subject.of(host, scan_id, parsed_at, names or {})
    yield from port_findings(subject)
    yield host_finding(subject)
    yield from script_findings(subject)
