"""Findings from the output of NSE scripts. readers.py has the table of their readers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from cascan.findings.subject import Subject
from cascan.model.finding import Finding
from cascan.model.host import Port, Script

if TYPE_CHECKING:
    from cascan.findings.script_run import ScriptRun


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


def script_findings_at(
    subject: Subject,
    script: Script,
    port: Port | None = None,
) -> Iterator[Finding]:
    """Findings of one script. `port` is None for a script that ran on the host as a whole."""
    run, read_script = _readers()
    return read_script(run(subject, script, port) if port else run.on_host(subject, script))


@cache
def _readers() -> tuple[type[ScriptRun], Callable[[ScriptRun], Iterator[Finding]]]:
    """Import the readers with the first script: most reports do without these ten modules."""
    from cascan.findings.readers import read_script  # noqa: PLC0415 (see the docstring)
    from cascan.findings.script_run import ScriptRun  # noqa: PLC0415 (see the docstring)

    return ScriptRun, read_script
