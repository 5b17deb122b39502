"""Findings of the scripts on SMB: the dialects that a server speaks, and what it asks of whoever speaks to it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cascan.findings.ports import port_attributes
from cascan.findings.script_run import ScriptRun, get_text, get_texts
from cascan.model.finding import Finding, Severity

# 2.02, 2.0.2, 2:0:2 or 202: nmap 7.93 itself says 202, others 2.02 or 2.0.2 or 2:0:2.
DIALECT = re.compile(r"(\d)[.:]?(\d+)(?:[.:](\d+))?")


def smb_protocols(run: ScriptRun) -> Iterator[Finding]:
    """A finding per dialect."""
    dialects = run.data.get("dialects")
    for dialect in [dialects] if isinstance(dialects, str) else get_texts(dialects):
        version = parse_dialect(dialect)
        if version:
            yield _dialect_finding(run, dialect, version)


def smb_security_mode(run: ScriptRun) -> Iterator[Finding]:
    """SMB 1. Structured since nmap 7; the text says the same, one `key: value` a line."""
    said = run.data or dict(line.strip().partition(": ")[::2] for line in run.output.splitlines())
    signing = get_text(said, "message_signing")
    if signing and not signing.startswith("required"):
        yield _signing(run, "SMB 1", f"SMB 1: message signing is {signing.split(' (')[0]}, and not required")
    if get_text(said, "challenge_response").startswith("plaintext"):
        yield run.finding(
            "plaintext",
            name="SMB Passwords in Clear Text",
            description=f"{run.where} takes passwords in clear text",
            category="SMB",
            severity=Severity.HIGH,
        )
    if get_text(said, "authentication_level").startswith("share"):
        yield run.finding(
            "share",
            name="SMB Share-Level Authentication",
            description=f"{run.where} asks for a password of the share, not for a user",
            category="SMB",
            severity=Severity.MEDIUM,
        )


def smb2_security_mode(run: ScriptRun) -> Iterator[Finding]:
    """SMB 2 and 3: a dialect, and what the server says of signing."""
    said = {key: get_texts(value) for key, value in run.data.items()} or {"": run.output.splitlines()}
    for dialect, lines in said.items():
        for line in lines:
            if "signing" in line and not line.strip().endswith("and required"):
                version = parse_dialect(dialect)
                yield _signing(
                    run,
                    "SMB 2 and 3",
                    f"SMB {version or 2:g}: " + line.strip().rstrip("!").replace("Message", "message"),
                )
                return


def parse_dialect(dialect: str) -> float | None:
    """`NT LM 0.12 (SMBv1) …` → 1, `2.0.2` and `202` → 2.02, `3.11` → 3.11; None: not a version."""
    if "SMBv1" in dialect:
        return 1
    match = DIALECT.match(dialect.strip())
    return float(f"{match[1]}.{match[2]}{match[3] or ''}") if match else None


def _signing(run: ScriptRun, protocol: str, mode: str) -> Finding:
    """The protocol is part of the name: smb-security-mode and smb2-security-mode may both find it on one port."""
    return run.finding(
        "signing",
        name=f"SMB Signing not required ({protocol})",
        description=f"{run.where} lets a session go unsigned, so that it can be relayed: {mode}",
        category="SMB",
        severity=Severity.MEDIUM,
        message_signing=mode,
    )


def _dialect_finding(run: ScriptRun, dialect: str, version: float) -> Finding:
    number: int | float = int(version) if float(version).is_integer() else version
    label = "SMBv1" if "SMBv1" in dialect else f"v{number}"
    severity, dangerous, old = _judgement(dialect, version)
    where = f"{run.where} is {run.port.state}" if run.port else "The host is"
    spoken = "SMBv1" if "SMBv1" in dialect else str(number)
    subject, port = run.subject, run.port
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
