"""A host as nmap saw it → findings in secureCodeBox's format, rule for rule what its nmap parser makes, bugs aside.

    ports.py     a finding per listed port, its category from the port's state
    hosts.py     a finding per host
    scripts.py   findings from the output of NSE scripts, by a table that is easy to extend
    subject.py   what all of them say of the host, and the ids they get

Text from the scanned host (banners, titles, names) is carried as it came: data, to be escaped by whoever shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain

from msgspec.json import encode
from msgspec.structs import replace

from cascan.findings.hosts import host_finding
from cascan.findings.ports import port_findings
from cascan.findings.scripts import script_findings
from cascan.findings.subject import Subject
from cascan.ids import derive_finding_id, derive_fingerprint
from cascan.model.finding import Finding
from cascan.model.host import Host

__all__ = ["build_findings"]


def build_findings(
    host: Host, scan_id: str, parsed_at: datetime, names: Mapping[str, str] | None = None
) -> Iterator[Finding]:
    """Findings of the host: of its ports, of itself, of its scripts. None of a host that is not up.

    `names`, address → name, says under which name the request asked for an address; it wins over reverse DNS.
    """
    if host.state != "up":
        return
    subject = Subject.of(host, scan_id, parsed_at, names or {})
    found = chain(port_findings(subject), [host_finding(subject)], script_findings(subject))
    yield from _with_ids_of_their_own(found, scan_id)


def _with_ids_of_their_own(findings: Iterable[Finding], scan_id: str) -> Iterator[Finding]:
    """The findings, each once. Of several with one id, those that differ from the first get other ids.

    Several have one id where a port is listed twice, or a script ran twice on it.
    """
    firsts: dict[str, Finding] = {}
    contents: dict[str, set[bytes]] = {}
    for finding in findings:
        first = firsts.setdefault(finding.id, finding)
        if first is finding:
            yield finding
            continue
        known = contents.setdefault(finding.id, {encode(first)})
        content = encode(finding)
        if content not in known:
            known.add(content)
            fingerprint = derive_fingerprint(finding.fingerprint, str(len(known)))
            yield replace(finding, fingerprint=fingerprint, id=derive_finding_id(scan_id, fingerprint))
