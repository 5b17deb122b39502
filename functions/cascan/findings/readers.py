"""Script id → the reader that turns its output into findings. READERS, at the end, is the table.

A script has a function of its own, or rows in cascan.findings.proofs. Two of nmap's libraries are
read for every script that uses them: vulns, and brute with its guessed accounts. CONTRIBUTING.md
shows how to add a script; docs/scripts.md lists the findings of each.

A script without a reader is not lost: the finding of its port or host carries the output of every
script. A script that failed writes `ERROR: …` and has no findings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

from cascan.findings.access import http_default_accounts, iscsi_info, smb_enum_shares
from cascan.findings.brute import brute_findings, is_brute_script, netbus_brute
from cascan.findings.ftp import banner, ftp_anon
from cascan.findings.http import (
    http_auth,
    http_git,
    http_headers,
    http_methods,
    http_security_headers,
    http_server_header,
    http_title,
)
from cascan.findings.ports import CATEGORIES
from cascan.findings.proofs import PROOFS, read_proofs
from cascan.findings.script_run import ScriptRun
from cascan.findings.services import (
    SELF_DESCRIPTIONS,
    rdp_enum_encryption,
    self_description_reader,
    snmp_sysdescr,
)
from cascan.findings.smb import smb2_security_mode, smb_protocols, smb_security_mode
from cascan.findings.ssh import ssh2_enum_algos, ssh_auth_methods, ssh_hostkey, sshv1
from cascan.findings.tls_certificate import ssl_cert
from cascan.findings.tls_ciphers import ssl_enum_ciphers, sslv2
from cascan.findings.vulns import has_vulnerabilities, vulners, vulns_library
from cascan.limits import MAX_FINDINGS_PER_SCRIPT
from cascan.model.finding import Finding

ScriptReader = Callable[[ScriptRun], Iterator[Finding]]


def read_script(run: ScriptRun) -> Iterator[Finding]:
    """Findings of one script, at most MAX_FINDINGS_PER_SCRIPT.

    A port without a finding of its own (a closed one) cannot carry the output: then the output is a
    finding.
    """
    if not run.output.lstrip().startswith("ERROR:"):
        yield from islice(_read_findings(run), MAX_FINDINGS_PER_SCRIPT)
    if run.port and run.port.state not in CATEGORIES:
        yield _output_finding(run, run.port.state)


def _output_finding(run: ScriptRun, state: str) -> Finding:
    return run.finding(
        "text",
        name=f"Script Output: {run.script.id}",
        description=f"{run.where} is {state}, but a script ran on it",
        category="Script Output",
        output=run.output or None,
        data=run.script.data,
    )


def _read_findings(run: ScriptRun) -> Iterator[Finding]:
    """The findings of the script's own reader, and those of the libraries that it reports through."""
    reader = READERS.get(run.script.id)
    if reader:
        yield from reader(run)
    if has_vulnerabilities(run):
        yield from vulns_library(run)
    if is_brute_script(run.script.id):
        yield from brute_findings(run)


READERS: dict[str, ScriptReader] = {
    "banner": banner,
    "ftp-anon": ftp_anon,
    "http-auth": http_auth,
    "http-default-accounts": http_default_accounts,
    "http-git": http_git,
    "http-headers": http_headers,
    "http-methods": http_methods,
    "http-security-headers": http_security_headers,
    "http-server-header": http_server_header,
    "http-title": http_title,
    "iscsi-info": iscsi_info,
    "netbus-brute": netbus_brute,
    "rdp-enum-encryption": rdp_enum_encryption,
    "smb-enum-shares": smb_enum_shares,
    "smb-protocols": smb_protocols,
    "smb-security-mode": smb_security_mode,
    "smb2-security-mode": smb2_security_mode,
    "snmp-sysdescr": snmp_sysdescr,
    "ssh-auth-methods": ssh_auth_methods,
    "ssh-hostkey": ssh_hostkey,
    "ssh2-enum-algos": ssh2_enum_algos,
    "sshv1": sshv1,
    "ssl-cert": ssl_cert,
    "ssl-enum-ciphers": ssl_enum_ciphers,
    "sslv2": sslv2,
    "vulners": vulners,
    **{script: partial(read_proofs, proofs=proofs) for script, proofs in PROOFS.items()},
    **{script: self_description_reader(kind) for script, kind in SELF_DESCRIPTIONS.items()},
}
