"""Findings of the script smb-protocols: one for each dialect that a host's SMB server speaks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cascan.findings.ports import port_attributes
from cascan.findings.subject import Subject
from cascan.model.finding import Finding, Severity
from cascan.model.host import Port, Script

SMB_PORTS = (445, 139)  # where the script looks, in its order
DIALECT = re.compile(r"(\d)[.:](\d+)(?:[.:](\d+))?")  # 2.02 or 2.0.2 or 2:0:2, by nmap's version


def smb_protocols(subject: Subject, script: Script, port: Port | None) -> Iterator[Finding]:
    """A finding per dialect, at the port the host script asked: 445 if open, else 139."""
    asked = port or _smb_port(subject)
    dialects = script.data.get("dialects") if isinstance(script.data, dict) else None
    for dialect in dialects if isinstance(dialects, list) else [dialects]:
        version = dialect_version(dialect) if isinstance(dialect, str) else None
        if isinstance(dialect, str) and version:
            yield _dialect_finding(subject, asked, dialect, version)


def dialect_version(dialect: str) -> float | None:
    """`NT LM 0.12 (SMBv1) …` → 1, `2.0.2` → 2.02, `3.11` → 3.11; None: not a version."""
    if "SMBv1" in dialect:
        return 1
    match = DIALECT.match(dialect.strip())
    return float(f"{match[1]}.{match[2]}{match[3] or ''}") if match else None


def _smb_port(subject: Subject) -> Port | None:
    open_ports = {port.number: port for port in subject.host.ports if port.protocol == "tcp" and port.state == "open"}
    return next((open_ports[number] for number in SMB_PORTS if number in open_ports), None)


def _dialect_finding(subject: Subject, port: Port | None, dialect: str, version: float) -> Finding:
    number: int | float = int(version) if float(version).is_integer() else version
    label = "SMBv1" if "SMBv1" in dialect else f"v{number}"
    severity, dangerous, old = _judgement(dialect, version)
    where = f"Port {port.number} is {port.state}" if port else "The host is"
    spoken = "SMBv1" if "SMBv1" in dialect else str(number)
    return subject.finding(
        port.protocol if port else "",
        str(port.number) if port else "",
        "smb-protocols",
        str(number),
        name=f"SMB {'Dangerous ' if dangerous else ''}Protocol Version Finding {label}",
        description=f"{where} using SMB protocol with {'an old version' if old else 'version'}: {spoken}",
        category="SMB",
        severity=severity,
        location=subject.location(port.protocol, port.number) if port else subject.label,
        attributes=(port_attributes(port) if port else {}) | {"scripts": dialect, "smb_protocol_version": number},
    )


def _judgement(dialect: str, version: float) -> tuple[Severity, bool, bool]:
    """Severity, whether it is called dangerous, whether it is called old. Source: secureCodeBox's thresholds."""
    if "SMBv1" in dialect:
        return Severity.HIGH, True, True
    if version < 2:  # noqa: PLR2004 (SMB 2)
        return Severity.MEDIUM, True, True
    if version < 3:  # noqa: PLR2004 (SMB 3)
        return Severity.LOW, False, True
    return Severity.INFORMATIONAL, False, False
