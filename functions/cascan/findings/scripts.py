"""Findings from the output of NSE scripts, each by its reader: readers.py has the table."""

from __future__ import annotations

from collections.abc import Iterator

from cascan.findings.subject import Subject
from cascan.model.finding import Finding
from cascan.model.host import Port


def script_findings(subject: Subject) -> Iterator[Finding]:
    """Findings of the port scripts, port by port, then of the host scripts."""
    for port in subject.host.ports:
        if port.scripts:
            yield from port_script_findings(subject, port)
    if subject.host.scripts:
        yield from host_script_findings(subject)


def port_script_findings(subject: Subject, port: Port) -> Iterator[Finding]:
    """Findings of the scripts that ran on the port."""
    from cascan.findings.readers import read_script  # noqa: PLC0415 (ten modules that most reports do without)
    from cascan.findings.script_run import ScriptRun  # noqa: PLC0415

    for script in port.scripts:
        yield from read_script(ScriptRun(subject, script, port))


def host_script_findings(subject: Subject) -> Iterator[Finding]:
    """Findings of the scripts that ran on the host as a whole."""
    from cascan.findings.readers import read_script  # noqa: PLC0415 (as above)
    from cascan.findings.script_run import ScriptRun  # noqa: PLC0415

    for script in subject.host.scripts:
        yield from read_script(ScriptRun.on_host(subject, script))
