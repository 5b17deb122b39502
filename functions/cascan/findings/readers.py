"""The readers of scripts: one function a script, in the table at the end, or rows of cascan.findings.proofs.

docs/findings.md says how to add one, docs/scripts.md what comes of each of nmap's scripts.
What a script reports through nmap's vulns library is read too, and accounts that a brute script guessed. Text of
any other is not lost: the finding of its port, or of its host, carries it, as it carries the text of all. A script
that failed says `ERROR: …` in place of its output and yields nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, islice

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
from cascan.findings.services import SELF_DESCRIPTIONS, rdp_enum_encryption, self_description_reader, snmp_sysdescr
from cascan.findings.smb import smb2_security_mode, smb_protocols, smb_security_mode
from cascan.findings.ssh import ssh2_enum_algos, ssh_auth_methods, ssh_hostkey, sshv1
from cascan.findings.tls_certificate import ssl_cert
from cascan.findings.tls_ciphers import ssl_enum_ciphers, sslv2
from cascan.findings.vulns import has_vulnerabilities, vulners, vulns_library
from cascan.limits import MAX_FINDINGS_PER_SCRIPT
from cascan.model.finding import Finding

ScriptReader = Callable[[ScriptRun], Iterator[Finding]]


def read_script(run: ScriptRun) -> Iterator[Finding]:
    """Findings of one script, at most MAX_FINDINGS_PER_SCRIPT: the text beside the port holds the rest."""
    if not run.output.lstrip().startswith("ERROR:"):
        findings = chain.from_iterable(reader(run) for reader in _readers_of(run))
        yield from islice(findings, MAX_FINDINGS_PER_SCRIPT)
    if run.port and run.port.state not in CATEGORIES:  # no finding of the port is there to carry the text
        yield _text_alone(run, run.port.state)


def _text_alone(run: ScriptRun, state: str) -> Finding:
    return run.finding(
        "text",
        name=f"Script Output: {run.script.id}",
        description=f"{run.where} is {state}, and a script ran on it all the same",
        category="Script Output",
        output=run.output or None,
        data=run.script.data,
    )


def _readers_of(run: ScriptRun) -> Iterator[ScriptReader]:
    """The script's own reader, and those of the libraries it reports through: a script may do both."""
    if reader := READERS.get(run.script.id):
        yield reader
    if has_vulnerabilities(run):
        yield vulns_library
    if is_brute_script(run.script.id):
        yield brute_findings


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
    **{script: self_description_reader(what) for script, what in SELF_DESCRIPTIONS.items()},
}
