"""One script at one host: what it said, where it ran, and the findings that are made of it.

Output of scripts is what a stranger's host sent: every accessor takes any shape, and gives what fits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from cascan.findings.subject import Subject
from cascan.model.finding import Finding, Severity
from cascan.model.host import Port, Script

UNNAMED = ""  # where the reader keeps what has no key, beside what has one
SMB_PORTS = (445, 139)  # where nmap's smb library looks, in its order


class ScriptRun(msgspec.Struct, frozen=True, gc=False):
    """`port` is None for a script that ran on the host as a whole."""

    subject: Subject
    script: Script
    port: Port | None

    @classmethod
    def on_host(cls, subject: Subject, script: Script) -> ScriptRun:
        """A host script. nmap's SMB scripts are such, and ask one port all the same: 445 if it is open, else 139."""
        return cls(subject, script, find_smb_port(subject) if script.id.startswith("smb") else None)

    @property
    def where(self) -> str:
        """The beginning of a sentence."""
        return f"Port {self.port.number}" if self.port else "The host"

    @property
    def output(self) -> str:
        return self.script.output

    @property
    def data(self) -> dict[str, Any]:
        """The structured output, where it is a table with keys; else empty."""
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
        """A finding at the port that the script ran on. `about` tells it from the script's other findings there.

        It has no `state`: the port's own finding alone meets rules on that. Facts that are None are left out.
        """
        subject, port = self.subject, self.port
        where = {"port": port.number, "protocol": port.protocol} if port else {}
        return subject.finding(
            *((port.protocol, str(port.number)) if port else ("", "")),
            self.script.id,
            *about,
            name=name,
            description=description,
            category=category,
            severity=severity,
            location=subject.location(scheme or port.protocol, port.number) if port else subject.label,
            attributes=where | {"script": self.script.id} | {k: v for k, v in facts.items() if v is not None},
        )


def find_smb_port(subject: Subject) -> Port | None:
    open_ports = {port.number: port for port in subject.host.ports if port.protocol == "tcp" and port.state == "open"}
    return next((open_ports[number] for number in SMB_PORTS if number in open_ports), None)


def get_table(data: Any, key: str | None = None) -> dict[str, Any]:
    """The table, or the one under its key; empty where there is none."""
    found = data.get(key) if key is not None and isinstance(data, dict) else data
    return found if isinstance(found, dict) else {}


def iter_tables(data: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tables right within a table, each with its key."""
    return ((key, value) for key, value in get_table(data).items() if isinstance(value, dict))


def iter_rows(data: Any) -> Iterator[dict[str, Any]]:
    """The tables of a list of tables; of one that stands alone, itself."""
    return (row for row in (data if isinstance(data, list) else [data]) if isinstance(row, dict))


def iter_unnamed_rows(data: Any) -> Iterator[dict[str, Any]]:
    """The tables without a key of a script that has nothing else, or tables with keys behind them."""
    return iter_rows(data.get(UNNAMED, [])) if isinstance(data, dict) else iter_rows(data)


def get_text(data: Any, key: str) -> str:
    """The text under a key; empty where there is none."""
    found = get_table(data).get(key)
    return found if isinstance(found, str) else ""


def get_texts(data: Any, key: str | None = None) -> list[str]:
    """The texts of a list, or of the one under its key; empty where there is none."""
    found = get_table(data).get(key) if key is not None else data
    return [entry for entry in found if isinstance(entry, str)] if isinstance(found, list) else []


def parse_indented_tables(output: str) -> dict[str, dict[str, str]]:
    """The tables that a script wrote as text alone: `name:`, and below it, deeper, `key: value`.

    The first line's indentation is that of the names; lines that are neither are passed over.
    """
    found: dict[str, dict[str, str]] = {}
    lines = [line for line in output.splitlines() if line.strip()]
    margin = _indentation(lines[0]) if lines else 0
    current: dict[str, str] = {}
    for line in lines:
        key, colon, value = line.strip().partition(": ")
        if _indentation(line) <= margin:
            current = found.setdefault(line.strip().rstrip(":").rstrip(), {})
        elif colon:
            current.setdefault(key, value.strip())
    return found


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())
