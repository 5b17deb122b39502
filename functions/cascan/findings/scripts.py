"""Findings from the output of NSE scripts, each by its reader: readers.py has the table."""

from __future__ import annotations

from collections.abc import Iterator

from cascan.findings.subject import Subject
from cascan.model.finding import Finding


def script_findings(subject: Subject) -> Iterator[Finding]:
    """Findings of the port scripts, port by port, then of the host scripts."""
    on_ports = [(script, port) for port in subject.host.ports if port.scripts for script in port.scripts]
    if not on_ports and not subject.host.scripts:
        return
    from cascan.findings.readers import read_script  # noqa: PLC0415 (ten modules that most reports do without)
    from cascan.findings.script_run import ScriptRun  # noqa: PLC0415

    for script, port in on_ports:
        yield from read_script(ScriptRun(subject, script, port))
    for script in subject.host.scripts:
        yield from read_script(ScriptRun.on_host(subject, script))
