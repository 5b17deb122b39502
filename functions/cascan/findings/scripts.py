"""Findings from the output of NSE scripts: one function a script, in the table at the end.

To add one, write a function that takes the Subject, the Script and the Port it ran on (None for a host script) and
yields findings, and give it its row. Text of a script without a row is not lost: the finding of its port, or of its
host, carries it. A script that failed says `ERROR: …` in place of its output and yields nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cascan.findings.smb import smb_protocols
from cascan.findings.subject import Subject
from cascan.model.finding import Finding, Severity
from cascan.model.host import Port, Script

ScriptReader = Callable[[Subject, Script, Port | None], Iterator[Finding]]

FTP = 21


def script_findings(subject: Subject) -> Iterator[Finding]:
    """Findings of the port scripts, port by port, then of the host scripts."""
    for port in subject.host.ports:
        for script in port.scripts:
            yield from _read(subject, script, port)
    for script in subject.host.scripts:
        yield from _read(subject, script, None)


def ftp_anon(subject: Subject, script: Script, port: Port | None) -> Iterator[Finding]:
    """The server lets anyone in. `got code 503 …` is output of the same script, and no login."""
    if port is None or not script.output.lstrip().startswith("Anonymous FTP login allowed"):
        return
    yield _port_script_finding(
        subject,
        script,
        port,
        name="Anonymous FTP Login possible",
        description=f"Port {port.number} allows anonymous FTP login",
        severity=Severity.MEDIUM,
        category="FTP",
    )


def banner(subject: Subject, script: Script, port: Port | None) -> Iterator[Finding]:
    """What the server says by itself; on port 21 the category is FTP, as in secureCodeBox."""
    if port is None:
        return
    yield _port_script_finding(
        subject,
        script,
        port,
        name="Server banner found",
        description=f"Port {port.number} displays banner",
        severity=Severity.INFORMATIONAL,
        category="FTP" if port.number == FTP else "TCP",
    )


def _read(subject: Subject, script: Script, port: Port | None) -> Iterator[Finding]:
    reader = READERS.get(script.id)
    if reader and not script.output.lstrip().startswith("ERROR:"):
        yield from reader(subject, script, port)


def _port_script_finding(
    subject: Subject, script: Script, port: Port, *, name: str, description: str, severity: Severity, category: str
) -> Finding:
    """A finding at the port the script ran on. It has no `state`: the port's own finding alone meets rules on that."""
    return subject.finding(
        port.protocol,
        str(port.number),
        script.id,
        name=name,
        description=description,
        category=category,
        severity=severity,
        location=subject.location("ftp" if category == "FTP" else "tcp", port.number),
        attributes={
            "port": port.number,
            "protocol": port.protocol,
            "script": script.id,
            "banner" if script.id == "banner" else "output": script.output or None,
        },
    )


READERS: dict[str, ScriptReader] = {
    "banner": banner,
    "ftp-anon": ftp_anon,
    "smb-protocols": smb_protocols,
}
