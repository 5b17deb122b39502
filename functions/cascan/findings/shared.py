"""What the scripts of a port say in findings, whichever host it is of: made once for a port that many hosts show.

The readers of scripts are asked about nobody: a host with a time, a blank for its name, and nothing else. A reader that
wants to know more, or that writes the name into a sentence, cannot be shared, and `shared_scripts` says so.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from cascan.findings.scripts import port_script_findings
from cascan.findings.subject import Subject
from cascan.model.finding import Finding, Severity
from cascan.model.host import Port

BLANK = "\x00cascan\x00"  # in a location; no reader writes it
encode = msgspec.json.Encoder().encode


class Wire(NamedTuple):
    """A finding without its host: what its fingerprint is made of, and its text around the location's host."""

    category: str
    severity: str
    about: tuple[str, ...]
    before: bytes
    location: tuple[bytes, bytes]  # around the host's name
    after: bytes  # the attributes behind those of the host


class _Nobody(Subject):
    """A subject that gives away nothing of a host: whoever asks for it gets an AttributeError."""

    __slots__ = ("found",)
    asked_name = None  # the findings are shared by hosts that were asked for by address

    def __init__(self, parsed_at: datetime) -> None:  # no host: the slots of Subject stay unset
        self.parsed_at = parsed_at
        self.authority = BLANK
        self.found: list[Wire] = []

    def finding(
        self,
        *about: str,
        name: str,
        description: str,
        category: str,
        location: str,
        attributes: dict[str, Any],
        severity: Severity = Severity.INFORMATIONAL,
    ) -> Finding:
        told = {"name": name, "description": description, "category": category, "severity": severity}
        front, _, back = location.partition(BLANK)
        self.found.append(
            Wire(
                category,
                severity.value,
                about,
                encode(told | {"osi_layer": "NETWORK"})[1:-1] + b',"location":"',
                (encode(front)[1:-1], encode(back)[1:-1] + b'"'),
                encode(attributes)[1:] + b"}",
            )
        )
        return Finding(
            id="",
            fingerprint="",
            parsed_at=self.parsed_at,
            name=name,
            description=description,
            category=category,
            severity=severity,
            osi_layer="NETWORK",
            location=location,
            attributes=attributes,
        )


def shared_scripts(port: Port, parsed_at: datetime) -> tuple[Wire, ...] | None:
    """The findings of the port's scripts, but for a host asked for by address; None: they depend on the host."""
    nobody = _Nobody(parsed_at)
    try:
        for _ in port_script_findings(nobody, port):
            pass
    except AttributeError:
        return None
    blank = encode(BLANK)[1:-1]
    told = nobody.found
    return None if any(blank in wire.before or blank in wire.after for wire in told) else tuple(told)
