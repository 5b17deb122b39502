"""Findings of what a service tells any client about itself: SNMP, remote desktops, databases."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from cascan.findings.script_run import ScriptRun
from cascan.model.finding import Finding, Severity

# Fields that change with every request.
VOLATILE = frozenset({"Salt", "Thread ID", "System_Time", "snmpEngineTime"})
WITHOUT_NLA = re.compile(r"^\s*(Native RDP|SSL): SUCCESS", re.MULTILINE)
WEAK_RDP = re.compile(
    r"^\s*(?:RDP Encryption level: (?:None|Low|Client Compatible)|(?:40|56)-bit RC4: SUCCESS)",
    re.MULTILINE,
)


class SelfDescription(NamedTuple):
    """The finding of a script that repeats what a service reports about itself."""

    name: str
    category: str


SELF_DESCRIPTIONS = {
    "mongodb-info": SelfDescription("MongoDB Service", "Database"),
    "ms-sql-info": SelfDescription("MS SQL Service", "Database"),
    "mysql-info": SelfDescription("MySQL Service", "Database"),
    "snmp-info": SelfDescription("SNMP Service", "SNMP"),
    "http-ntlm-info": SelfDescription("Windows Host Names", "Information Disclosure"),
    "imap-ntlm-info": SelfDescription("Windows Host Names", "Information Disclosure"),
    "ms-sql-ntlm-info": SelfDescription("Windows Host Names", "Information Disclosure"),
    "nntp-ntlm-info": SelfDescription("Windows Host Names", "Information Disclosure"),
    "pop3-ntlm-info": SelfDescription("Windows Host Names", "Information Disclosure"),
    "rdp-ntlm-info": SelfDescription("Windows Host Names", "Information Disclosure"),
    "smtp-ntlm-info": SelfDescription("Windows Host Names", "Information Disclosure"),
    "telnet-ntlm-info": SelfDescription("Windows Host Names", "Information Disclosure"),
}


def self_description_reader(kind: SelfDescription) -> Callable[[ScriptRun], Iterator[Finding]]:
    """A reader of such a script. The finding has its structured output, or else its text."""

    def read(run: ScriptRun) -> Iterator[Finding]:
        stable = {key: value for key, value in run.data.items() if key not in VOLATILE}
        description: dict[str, Any] | str = stable or run.output.strip()
        if description:
            yield run.finding(
                name=kind.name,
                description=f"{run.where} describes itself to any client",
                category=kind.category,
                told=description,
            )

    return read


def snmp_sysdescr(run: ScriptRun) -> Iterator[Finding]:
    """The script has output only if the service accepted a community that nmap knew."""
    system_description = run.output.partition("\n")[0].strip()
    if system_description:
        yield run.finding(
            name="SNMP Community guessed",
            description=f"{run.where} accepts the community of the scan, by default `public`",
            category="SNMP",
            severity=Severity.MEDIUM,
            system_description=system_description,
        )


def rdp_enum_encryption(run: ScriptRun) -> Iterator[Finding]:
    """Sessions without Network Level Authentication, and weak encryption.

    The script writes text only.
    """
    accepted = WITHOUT_NLA.findall(run.output)
    if accepted:
        yield run.finding(
            "nla",
            name="RDP without Network Level Authentication",
            description=f"{run.where} opens a session before authentication: it accepts {', '.join(accepted)}",
            category="RDP",
            severity=Severity.MEDIUM,
            security_layers=accepted,
        )
    weak = [line.strip() for line in WEAK_RDP.findall(run.output)]
    if weak:
        yield run.finding(
            "encryption",
            name="Weak RDP Encryption",
            description=f"{run.where} supports encryption that can be broken: {', '.join(weak)}",
            category="RDP",
            severity=Severity.MEDIUM,
            weak_encryption=weak,
        )
