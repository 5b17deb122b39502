"""Findings of what a service tells of itself to anyone who asks: SNMP, remote desktops, databases."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from cascan.findings.script_run import ScriptRun
from cascan.model.finding import Finding, Severity

VOLATILE = frozenset({"Salt", "Thread ID", "System_Time", "snmpEngineTime"})  # other with every question
WITHOUT_NLA = re.compile(r"^\s*(Native RDP|SSL): SUCCESS", re.MULTILINE)
WEAK_RDP = re.compile(r"^\s*(?:RDP Encryption level: (?:None|Low|Client Compatible)|(?:40|56)-bit RC4: SUCCESS)", re.M)


class SelfDescription(NamedTuple):
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


def self_description_reader(what: SelfDescription) -> Callable[[ScriptRun], Iterator[Finding]]:
    """The reader of a script that repeats what a service said: its structure, or its text where it has none."""

    def read(run: ScriptRun) -> Iterator[Finding]:
        told: dict[str, Any] = {key: value for key, value in run.data.items() if key not in VOLATILE}
        if told or run.output.strip():
            yield run.finding(
                name=what.name,
                description=f"{run.where} tells what it is to anyone who asks",
                category=what.category,
                told=told or run.output.strip(),
            )

    return read


def snmp_sysdescr(run: ScriptRun) -> Iterator[Finding]:
    """An answer to SNMP 1 is proof of a community that nmap knew."""
    described = run.output.partition("\n")[0].strip()
    if described:
        yield run.finding(
            name="SNMP Community guessed",
            description=f"{run.where} answers to the community that the scan gave, `public` unless it gave another",
            category="SNMP",
            severity=Severity.MEDIUM,
            system_description=described,
        )


def rdp_enum_encryption(run: ScriptRun) -> Iterator[Finding]:
    """The script has nothing but text."""
    accepted = WITHOUT_NLA.findall(run.output)
    if accepted:
        yield run.finding(
            "nla",
            name="RDP without Network Level Authentication",
            description=f"{run.where} opens a session before it knows who asks: {', '.join(accepted)} is accepted",
            category="RDP",
            severity=Severity.MEDIUM,
            security_layers=accepted,
        )
    weak = [line.strip() for line in WEAK_RDP.findall(run.output)]
    if weak:
        yield run.finding(
            "encryption",
            name="Weak RDP Encryption",
            description=f"{run.where} agrees to encryption that can be broken: {', '.join(weak)}",
            category="RDP",
            severity=Severity.MEDIUM,
            weak_encryption=weak,
        )
