"""Findings of the scripts on SMB: the dialects of a server, its signing and authentication."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from cascan.findings.ports import port_attributes
from cascan.findings.script_run import ScriptRun, get_text, get_texts
from cascan.model.finding import Finding, Severity
from cascan.model.host import Port

# nmap 7.93 writes the dialect 2.02 as 202; other versions write 2.02, 2.0.2 or 2:0:2.
DIALECT = re.compile(r"(\d)[.:]?(\d+)(?:[.:](\d+))?")


def smb_protocols(run: ScriptRun) -> Iterator[Finding]:
    """A finding per dialect."""
    dialects = run.data.get("dialects")
    for dialect in [dialects] if isinstance(dialects, str) else get_texts(dialects):
        version = parse_dialect(dialect)
        if version:
            yield _dialect_finding(run, dialect, version)


def smb_security_mode(run: ScriptRun) -> Iterator[Finding]:
    """SMB 1. Versions of nmap before 7 write text only, one `key: value` a line."""
    mode = run.data or dict(line.strip().partition(": ")[::2] for line in run.output.splitlines())
    signing = get_text(mode, "message_signing")
    if signing and not signing.startswith("required"):
        signing_mode = signing.split(" (")[0]
        yield _signing_finding(run, "SMB 1", f"SMB 1: message signing is {signing_mode}, and not required")
    if get_text(mode, "challenge_response").startswith("plaintext"):
        yield run.finding(
            "plaintext",
            name="SMB Passwords in Clear Text",
            description=f"{run.where} accepts passwords in clear text",
            category="SMB",
            severity=Severity.HIGH,
        )
    if get_text(mode, "authentication_level").startswith("share"):
        yield run.finding(
            "share",
            name="SMB Share-Level Authentication",
            description=f"{run.where} asks for a password of the share, not of a user",
            category="SMB",
            severity=Severity.MEDIUM,
        )


def smb2_security_mode(run: ScriptRun) -> Iterator[Finding]:
    """SMB 2 and 3: for each dialect, whether it requires signing.

    One finding, of the first that does not.
    """
    lines_by_dialect = {key: get_texts(value) for key, value in run.data.items()}
    if not lines_by_dialect:
        lines_by_dialect = {"": run.output.splitlines()}
    for dialect, lines in lines_by_dialect.items():
        for line in lines:
            if "signing" in line and not line.strip().endswith("and required"):
                version = parse_dialect(dialect) or 2
                mode = line.strip().rstrip("!").replace("Message", "message")
                yield _signing_finding(run, "SMB 2 and 3", f"SMB {version:g}: {mode}")
                return


def parse_dialect(dialect: str) -> float | None:
    """`NT LM 0.12 (SMBv1) …` → 1, `2.0.2` and `202` → 2.02, `3.11` → 3.11.

    None: it has no version.
    """
    if "SMBv1" in dialect:
        return 1
    match = DIALECT.match(dialect.strip())
    return float(f"{match[1]}.{match[2]}{match[3] or ''}") if match else None


def _signing_finding(run: ScriptRun, protocol: str, mode: str) -> Finding:
    """The name has the protocol, as smb-security-mode and smb2-security-mode may both find it."""
    return run.finding(
        "signing",
        name=f"SMB Signing not required ({protocol})",
        description=f"{run.where} accepts unsigned sessions, so that they can be relayed: {mode}",
        category="SMB",
        severity=Severity.MEDIUM,
        message_signing=mode,
    )


def _dialect_finding(run: ScriptRun, dialect: str, version: float) -> Finding:
    """Text and attributes are secureCodeBox's: it has the attributes of the port too."""
    number: int | float = int(version) if float(version).is_integer() else version
    age = _rate_dialect(dialect, version)
    label, version_text = ("SMBv1", "SMBv1") if "SMBv1" in dialect else (f"v{number}", str(number))
    subject, port = run.subject, run.port
    address = (port.protocol, str(port.number)) if port else ("", "")
    attributes = port_attributes(port) if port else {}
    return subject.finding(
        *address,
        "smb-protocols",
        str(number),
        name=f"SMB {age.adjective}Protocol Version Finding {label}",
        description=f"{_using(port)} SMB protocol with {age.noun}: {version_text}",
        category="SMB",
        severity=age.severity,
        location=subject.location(port.protocol, port.number) if port else subject.label,
        attributes=attributes | {"scripts": dialect, "smb_protocol_version": number},
    )


def _using(port: Port | None) -> str:
    return f"Port {port.number} is {port.state} using" if port else "The host is using"


class DialectAge(NamedTuple):
    """How bad an SMB dialect is, and how secureCodeBox's finding words it."""

    severity: Severity
    adjective: str  # in the name, with a space after it
    noun: str  # in the description


def _rate_dialect(dialect: str, version: float) -> DialectAge:
    """Source: secureCodeBox's thresholds."""
    if "SMBv1" in dialect:
        return DialectAge(Severity.HIGH, "Dangerous ", "an old version")
    if version < 2:  # noqa: PLR2004 (SMB 2)
        return DialectAge(Severity.MEDIUM, "Dangerous ", "an old version")
    if version < 3:  # noqa: PLR2004 (SMB 3)
        return DialectAge(Severity.LOW, "", "an old version")
    return DialectAge(Severity.INFORMATIONAL, "", "version")
