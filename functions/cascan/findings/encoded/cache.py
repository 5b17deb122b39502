"""What ports and their scripts say in findings, whichever host they are of: wires, kept for the next host.

Readers of reports share equal ports and equal scripts, so both are known by identity. The readers of scripts are asked
about nobody: a subject with a time, a blank for its name, and nothing else, at a port with a number, a protocol and a
state. A reader that wants to know more, or that writes the name into a sentence, cannot be shared.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any, cast

from cascan.cache import BoundedCache, RecentHashes
from cascan.findings.encoded.encoder import (
    INFORMATIONAL,
    NETWORK,
    PLACEHOLDER,
    FindingEncoder,
    FindingFields,
    FindingTemplate,
    encode,
)
from cascan.findings.ports import CATEGORIES, PortAttributes, describe_port, name_port_finding, script_attributes
from cascan.findings.scripts import script_findings_at
from cascan.findings.subject import Subject
from cascan.limits import MAX_ENCODED_FINDINGS_BYTES, MAX_RECENT_HASHES
from cascan.model.finding import Finding, Severity
from cascan.model.host import Port, Script

BLANK = "\x00cascan\x00"  # in a location; no reader writes it
MIN_WIRE_BYTES = 400  # of what is kept besides the text that differs
Wires = tuple[FindingTemplate, ...]
Start = tuple[str, str, bytes, bytes, bytes, bytes]  # of a wire
NO_SCRIPTS = b"," + encode(script_attributes(()))[1:]


class EncodedFindingCache:
    """What ports and scripts say in findings of one time."""

    def __init__(self, parsed_at: datetime) -> None:
        self._parsed_at = parsed_at
        # By the port's id: that is its own as long as the port is there, and it is kept with its wire.
        self._ports: BoundedCache[int, tuple[Port, FindingTemplate | None]] = BoundedCache(MAX_ENCODED_FINDINGS_BYTES)
        self._starts: BoundedCache[tuple[int, str, str, str], Start] = BoundedCache(MAX_ENCODED_FINDINGS_BYTES)
        self._scripts: BoundedCache[tuple[int, str, int, str], tuple[Script, Wires | None]] = BoundedCache(
            MAX_ENCODED_FINDINGS_BYTES
        )
        self._sighted = RecentHashes(MAX_RECENT_HASHES)  # what scripts said: long, and seldom the same twice

    def of_ports(self, ports: tuple[Port, ...]) -> list[FindingTemplate]:
        """The findings of the ports whose state has a category, in that order."""
        kept = list(map(self._ports.get, map(id, ports)))
        if None in kept:
            kept = [found or self._of_port(port) for found, port in zip(kept, ports, strict=True)]
        return [found[1] for found in kept if found and found[1]]

    def _of_port(self, port: Port) -> tuple[Port, FindingTemplate | None]:
        """The finding of a port that was not kept; None: its state has no category."""
        category = CATEGORIES.get(port.state)
        rest, wire = b"", None
        if category is not None:
            scripts = b"," + encode(script_attributes(port.scripts))[1:] if port.scripts else NO_SCRIPTS
            rest = b"," + encode(PortAttributes.of(port))[1:-1] + scripts + b"}"
            wire = FindingTemplate(*self._before_rest(port, category), rest)
        said = [script.output for script in port.scripts]
        if said and not self._sighted.was_seen(hash(tuple(said))):
            return port, wire
        return self._ports.keep(id(port), (port, wire), MIN_WIRE_BYTES + len(rest) + sum(map(len, said)))

    def _before_rest(self, port: Port, category: str) -> Start:
        """The wire of the port up to what is its own, which ports with other versions have in common."""
        key = port.number, port.protocol, port.state, port.service.name if port.service else ""
        return self._starts.get(key) or self._starts.keep(key, start_of(port, category), MIN_WIRE_BYTES + len(key[3]))

    def write_scripts(self, ports: list[Port], scribe: FindingEncoder) -> None:
        """Have the findings of the ports' scripts written; the host was asked for by address."""
        found: list[FindingTemplate] = []
        for port in ports:
            for script in port.scripts:
                wires = self._of_script(script, port)
                if wires is not None:
                    found += wires
                    continue
                if found:
                    scribe.fill(found)
                    found = []
                for _ in script_findings_at(scribe, script, port):
                    pass
        scribe.fill(found)

    def _of_script(self, script: Script, port: Port) -> Wires | None:
        """None: it is not to be shared, or came never before."""
        key = id(script), port.protocol, port.number, port.state
        found = self._scripts.get(key)
        if found is not None:  # and of this very script, since it is kept with its wires
            return found[1]
        if not self._sighted.was_seen(hash(script.output)):
            return None
        wires = shared_wires(script, port, self._parsed_at)
        weight = MIN_WIRE_BYTES + len(script.output) + sum(map(weight_of, wires or ()))
        return self._scripts.keep(key, (script, wires), weight)[1]


@lru_cache(maxsize=1)
def cache_for(parsed_at: datetime) -> EncodedFindingCache:
    return EncodedFindingCache(parsed_at)


def weight_of(wire: FindingTemplate) -> int:
    return len(wire.front) + len(wire.back) + len(wire.rest)


def start_of(port: Port, category: str) -> Start:
    told = FindingFields(
        name_port_finding(port, category), describe_port(port), category, INFORMATIONAL, NETWORK, f"{port.protocol}://"
    )
    return FindingTemplate.of(told, (port.protocol, str(port.number)), b':%d","attributes":' % port.number, b"")[:-1]


def shared_wires(script: Script, port: Port, parsed_at: datetime) -> Wires | None:
    """The findings of the script, but for a host asked for by address; None: they depend on more than is shared."""
    nobody = _Nobody(parsed_at)
    try:
        for _ in script_findings_at(nobody, script, cast("Port", _Numbered(port))):
            pass
    except AttributeError:
        return None
    blank = encode(BLANK)[1:-1]
    told = any(blank in text for wire in nobody.found for text in (wire.front, wire.back, wire.rest))
    return None if told else tuple(nobody.found)


class _Nobody(Subject):
    """A subject that gives away nothing of a host: whoever asks for it gets an AttributeError."""

    __slots__ = ("found",)
    asked_name = None  # the findings are shared by hosts that were asked for by address

    def __init__(self, parsed_at: datetime) -> None:  # no host: the slots of Subject stay unset
        self.parsed_at = parsed_at
        self.authority = BLANK
        self.found: list[FindingTemplate] = []

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
        front, _, back = location.partition(BLANK)
        told = FindingFields(name, description, category, severity.value, NETWORK, front)
        self.found.append(
            FindingTemplate.of(told, about, encode(back)[1:-1] + b'","attributes":', encode(attributes)[1:] + b"}")
        )
        return PLACEHOLDER


class _Numbered:
    """A port that gives away what it is called by, and no more: whoever asks gets an AttributeError."""

    __slots__ = ("number", "protocol", "state")

    def __init__(self, port: Port) -> None:
        self.number, self.protocol, self.state = port.number, port.protocol, port.state
