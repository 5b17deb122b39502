"""Findings from the output of NSE scripts, each by its reader: readers.py has the table."""

from __future__ import annotations

from collections.abc import Iterator

from cascan.findings.subject import Subject
from cascan.model.finding import Finding
from cascan.model.host import Port, Script


def script_findings(subject: Subject) -> Iterator[Finding]:
    """Findings of the port scripts, port by port, then of the host scripts."""
    yield from port_script_findings(subject)
    yield from host_script_findings(subject)


def port_script_findings(subject: Subject) -> Iterator[Finding]:
    for port in subject.host.ports:
        for script in port.scripts:
            yield from script_findings_at(subject, script, port)


def host_script_findings(subject: Subject) -> Iterator[Finding]:
    for script in subject.host.scripts:
        yield from script_findings_at(subject, script)


def script_findings_at(subject: Subject, script: Script, port: Port | None = None) -> Iterator[Finding]:
    """Findings of one script that ran on the port; None: on the host as a whole."""
    from cascan.findings.readers import read_script  # noqa: PLC0415 (ten modules that most reports do without)
    from cascan.findings.script_run import ScriptRun  # noqa: PLC0415 (as above)

    return read_script(ScriptRun(subject, script, port) if port else ScriptRun.on_host(subject, script))
