"""A host as nmap saw it → findings in secureCodeBox's format.

The rules are those of secureCodeBox's nmap parser, without its bugs.

    ports.py     a finding for each listed port; its category follows from the port's state
    hosts.py     a finding for the host
    scripts.py   findings from the output of NSE scripts
    readers.py   the table of scripts: which function reads which script. Start here to add one
    proofs/      tables for the many scripts that need a row and no function
    redact.py    leaves out the secrets that scripts found
    subject.py   the host that findings are about, and the ids they get

Text from the scanned host (banners, titles, names) is stored unchanged. Whoever displays it has to
escape it.
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
    """Findings of the ports, the host itself, and its scripts. A host that is not up has none.

    `names` maps an address to the name by which the request asked for it; that name takes
    precedence over reverse DNS.
    """
    if host.state != "up":
        return
    subject = Subject.of(host, scan_id, parsed_at, names or {})
    findings = chain(port_findings(subject), [host_finding(subject)], script_findings(subject))
    yield from _make_ids_unique(findings, scan_id)


def _make_ids_unique(findings: Iterable[Finding], scan_id: str) -> Iterator[Finding]:
    """Drop exact repeats. Other findings that repeat an id get an id of their own.

    Ids repeat where a report lists a port twice, or where a script ran twice on one port.
    """
    first_by_id: dict[str, Finding] = {}
    contents_by_id: dict[str, set[bytes]] = {}
    for finding in findings:
        original = first_by_id.setdefault(finding.id, finding)
        if original is finding:
            yield finding
            continue
        contents = contents_by_id.setdefault(finding.id, {encode(original)})
        content = encode(finding)
        if content not in contents:
            contents.add(content)
            fingerprint = derive_fingerprint(finding.fingerprint, str(len(contents)))
            finding_id = derive_finding_id(scan_id, fingerprint)
            yield replace(finding, fingerprint=fingerprint, id=finding_id)
