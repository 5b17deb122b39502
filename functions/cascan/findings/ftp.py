"""Findings of ftp-anon and banner, word for word secureCodeBox's, at the port that the script ran on."""

from __future__ import annotations

from collections.abc import Iterator

from cascan.findings.script_run import ScriptRun
from cascan.model.finding import Finding, Severity

FTP = 21


def ftp_anon(run: ScriptRun) -> Iterator[Finding]:
    """The server lets anyone in. `got code 503 …` is output of the same script, and no login."""
    if run.port and run.output.lstrip().startswith("Anonymous FTP login allowed"):
        yield run.finding(
            name="Anonymous FTP Login possible",
            description=f"{run.where} allows anonymous FTP login",
            severity=Severity.MEDIUM,
            category="FTP",
            scheme="ftp",
            output=run.output or None,
        )


def banner(run: ScriptRun) -> Iterator[Finding]:
    """What the server says by itself; on port 21 the category is FTP, as in secureCodeBox."""
    if run.port:
        is_ftp = run.port.number == FTP
        yield run.finding(
            name="Server banner found",
            description=f"{run.where} displays banner",
            category="FTP" if is_ftp else "TCP",
            scheme="ftp" if is_ftp else "tcp",
            banner=run.output or None,
        )
