"""One run of a script: its output, where it ran, and the findings that readers build from it.

The output comes from a scanned host and may have any shape. So every accessor here takes any value,
and returns what has the expected type: `get_text(row, "bits")` is "" where `row` is no table or
`bits` no text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from cascan.findings.subject import Subject
from cascan.model.finding import Finding, Severity
from cascan.model.host import Port, Script

UNNAMED = ""  # the key of elements without a key, if others have one: see cascan.nmap.report
SMB_PORTS = (445, 139)  # as nmap's smb library tries them


class ScriptRun(msgspec.Struct, frozen=True, gc=False):
    """A script's output at a host. `port` is None for a script that ran on the host as a whole."""

    subject: Subject
    script: Script
    port: Port | None

    @classmethod
    def on_host(cls, subject: Subject, script: Script) -> ScriptRun:
        """A host script. An SMB script belongs to the port it talks to: 445 if open, else 139."""
        return cls(subject, script, find_smb_port(subject) if script.id.startswith("smb") else None)

    @property
    def where(self) -> str:
        """`Port 22` or `The host`, to begin a description with."""
        return f"Port {self.port.number}" if self.port else "The host"

    @property
    def output(self) -> str:
        return self.script.output

    @property
    def data(self) -> dict[str, Any]:
        """The structured output if it is a table with keys, else an empty table."""
        return get_table(self.script.data)

    def finding(
        self,
        *about: str,
        name: str,
        description: str,
        category: str,
        severity: Severity = Severity.INFORMATIONAL,
        scheme: str = "",
        **facts: Any,
    ) -> Finding:
        """A finding at the port that the script ran on, or at the host.

        about   distinguishes it from the script's other findings there; ids depend on it
        scheme  of the location, in place of the port's protocol
        facts   become attributes, except those that are None

        It has no attribute `state`, so that rules on a port's state match the port's own finding
        alone.
        """
        subject, port = self.subject, self.port
        address: tuple[str, str] = (port.protocol, str(port.number)) if port else ("", "")
        location = subject.location(scheme or port.protocol, port.number) if port else subject.label
        attributes: dict[str, Any] = {"script": self.script.id}
        if port:
            attributes = {"port": port.number, "protocol": port.protocol} | attributes
        attributes |= {key: value for key, value in facts.items() if value is not None}
        return subject.finding(
            *address,
            self.script.id,
            *about,
            name=name,
            description=description,
            category=category,
            severity=severity,
            location=location,
            attributes=attributes,
        )


def find_smb_port(subject: Subject) -> Port | None:
    tcp_ports = (port for port in subject.host.ports if port.protocol == "tcp")
    open_ports = {port.number: port for port in tcp_ports if port.state == "open"}
    return next((open_ports[number] for number in SMB_PORTS if number in open_ports), None)


def get_table(data: Any, key: str | None = None) -> dict[str, Any]:
    """`data`, or the table under `key` in it. Empty if there is no table."""
    table = data.get(key) if key is not None and isinstance(data, dict) else data
    return table if isinstance(table, dict) else {}


def iter_tables(data: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tables directly inside a table, each with its key."""
    return ((key, value) for key, value in get_table(data).items() if isinstance(value, dict))


def iter_rows(data: Any) -> Iterator[dict[str, Any]]:
    """The tables of a list. A single table counts as a list of one."""
    entries = data if isinstance(data, list) else [data]
    return (row for row in entries if isinstance(row, dict))


def iter_unnamed_rows(data: Any) -> Iterator[dict[str, Any]]:
    """The tables without a key, of a script that may write tables with keys after them."""
    return iter_rows(data.get(UNNAMED, [])) if isinstance(data, dict) else iter_rows(data)


def get_text(data: Any, key: str) -> str:
    """The text under a key. Empty if there is none."""
    value = data.get(key) if isinstance(data, dict) else ""
    return value if isinstance(value, str) else ""


def get_texts(data: Any, key: str | None = None) -> list[str]:
    """The texts in a list: `data`, or the list under `key` in it. Empty if there is none."""
    entries = get_table(data).get(key) if key is not None else data
    if not isinstance(entries, list):
        return []
    return [entry for entry in entries if isinstance(entry, str)]


def parse_indented_tables(output: str) -> dict[str, dict[str, str]]:
    """Tables in a text: a line `name:`, with indented lines `key: value` below it.

    Names have the indentation of the first line. Other lines are skipped.
    """
    tables: dict[str, dict[str, str]] = {}
    lines = [line for line in output.splitlines() if line.strip()]
    margin = _indentation(lines[0]) if lines else 0
    current: dict[str, str] = {}
    for line in lines:
        key, colon, value = line.strip().partition(": ")
        if _indentation(line) <= margin:
            current = tables.setdefault(line.strip().rstrip(":").rstrip(), {})
        elif colon:
            current.setdefault(key, value.strip())
    return tables


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())
