"""The readers of scripts: one function a script, in the table at the end.

To add one, write a function that takes a ScriptRun and yields findings, give it its row here and in docs/findings.md.
A script without a row that reports through nmap's vulns library is read too, and one that guesses passwords. Text of
any other is not lost: the finding of its port, or of its host, carries it, as it carries the text of all. A script
that failed says `ERROR: …` in place of its output and yields nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, islice

from cascan.findings.access import OPEN, http_default_accounts, lets_anyone_in
from cascan.findings.brute import brute_findings, is_brute_script, netbus_brute
from cascan.findings.ftp import banner, ftp_anon
from cascan.findings.http import (
    http_git,
    http_headers,
    http_methods,
    http_security_headers,
    http_server_header,
    http_title,
)
from cascan.findings.ports import CATEGORIES
from cascan.findings.script_run import ScriptRun
from cascan.findings.services import TOLD, rdp_enum_encryption, snmp_sysdescr, tells
from cascan.findings.smb import smb2_security_mode, smb_protocols, smb_security_mode
from cascan.findings.ssh import ssh2_enum_algos, ssh_auth_methods, sshv1
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
    """The script's own reader, and that of the library it reports through: a script may do both."""
    if reader := READERS.get(run.script.id):
        yield reader
    if has_vulnerabilities(run):
        yield vulns_library
    elif not reader and is_brute_script(run.script.id):
        yield brute_findings


READERS: dict[str, ScriptReader] = {
    "banner": banner,
    "ftp-anon": ftp_anon,
    "http-default-accounts": http_default_accounts,
    "http-git": http_git,
    "http-headers": http_headers,
    "http-methods": http_methods,
    "http-security-headers": http_security_headers,
    "http-server-header": http_server_header,
    "http-title": http_title,
    "netbus-brute": netbus_brute,
    "rdp-enum-encryption": rdp_enum_encryption,
    "smb-protocols": smb_protocols,
    "smb-security-mode": smb_security_mode,
    "smb2-security-mode": smb2_security_mode,
    "snmp-sysdescr": snmp_sysdescr,
    "ssh-auth-methods": ssh_auth_methods,
    "ssh2-enum-algos": ssh2_enum_algos,
    "sshv1": sshv1,
    "ssl-cert": ssl_cert,
    "ssl-enum-ciphers": ssl_enum_ciphers,
    "sslv2": sslv2,
    "vulners": vulners,
    **{script: lets_anyone_in(found) for script, found in OPEN.items()},
    **{script: tells(what) for script, what in TOLD.items()},
}
