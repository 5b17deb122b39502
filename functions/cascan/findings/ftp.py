"""Findings of ftp-anon and banner: secureCodeBox's, at the port that the script ran on."""

from __future__ import annotations

from collections.abc import Iterator

from cascan.findings.script_run import ScriptRun
from cascan.model.finding import Finding, Severity

FTP = 21


def ftp_anon(run: ScriptRun) -> Iterator[Finding]:
    """Anonymous login works.

    The script also writes output such as `got code 503 …` when it does not.
    """
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
    """The banner. On port 21 its category is FTP, as in secureCodeBox."""
    if run.port:
        is_ftp = run.port.number == FTP
        yield run.finding(
            name="Server banner found",
            description=f"{run.where} displays banner",
            category="FTP" if is_ftp else "TCP",
            scheme="ftp" if is_ftp else "tcp",
            banner=run.output or None,
        )
