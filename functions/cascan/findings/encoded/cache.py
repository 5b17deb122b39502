"""Templates of the findings of ports and scripts, cached for the next host that shows the same.

Readers of reports share equal ports and equal scripts, so both are found by identity. The readers of scripts get a
subject that has a time, a blank for its name and nothing else, at a port with a number, a protocol and a state. The
findings of a reader that needs more, or that writes the name into a sentence, are not cached.
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
from cascan.model.host import Port, Script, Service

BLANK = "\x00cascan\x00"  # in a location; no reader writes it
MIN_TEMPLATE_BYTES = 400  # of an entry, beside the text that differs
Templates = tuple[FindingTemplate, ...]
Start = tuple[str, str, bytes, bytes, bytes, bytes]  # of a template
NO_SCRIPTS = b"," + encode(script_attributes(()))[1:]


class EncodedFindingCache:
    """Templates of findings with one time."""

    def __init__(self, parsed_at: datetime) -> None:
        self._parsed_at = parsed_at
        # By `id(port)`, which stays unique since the entry holds the port.
        self._ports: BoundedCache[int, tuple[Port, FindingTemplate | None]] = BoundedCache(MAX_ENCODED_FINDINGS_BYTES)
        self._attributes: BoundedCache[tuple[object, ...], tuple[Service | None, bytes]] = BoundedCache(
            MAX_ENCODED_FINDINGS_BYTES
        )
        self._starts: BoundedCache[tuple[int, str, str, str], Start] = BoundedCache(MAX_ENCODED_FINDINGS_BYTES)
        self._scripts: BoundedCache[tuple[int, str, int, str], tuple[Script, Templates | None]] = BoundedCache(
            MAX_ENCODED_FINDINGS_BYTES
        )
        self._seen = RecentHashes(MAX_RECENT_HASHES)  # of outputs of scripts, which are long and seldom repeat

    def get_port_templates(self, ports: tuple[Port, ...]) -> list[FindingTemplate]:
        """The findings of the ports whose state has a category, in order."""
        entries = list(map(self._ports.get, map(id, ports)))
        if not all(entries):  # one is None: cached entries are never empty
            entries = [entry or self._encode_port(port) for entry, port in zip(entries, ports, strict=True)]
        return [entry[1] for entry in entries if entry and entry[1]]

    def _encode_port(self, port: Port) -> tuple[Port, FindingTemplate | None]:
        """The entry of a port that is not cached. Its template is None if the port's state has no category."""
        category = CATEGORIES.get(port.state)
        if port.scripts:
            return self._encode_scripted_port(port, category)
        end, template = b"", None
        if category is not None:
            end = _encode_attributes(port) + NO_SCRIPTS + b"}"
            template = FindingTemplate(*self._get_start(port, category), end)
        return self._ports.keep(id(port), (port, template), MIN_TEMPLATE_BYTES + len(end))

    def _encode_scripted_port(self, port: Port, category: str | None) -> tuple[Port, FindingTemplate | None]:
        """The same of a port with scripts: it is cached once another one like it was seen."""
        end, template = b"", None
        if category is not None:
            scripts = b"," + encode(script_attributes(port.scripts))[1:]
            end = self._get_attributes(port) + scripts + b"}"
            template = FindingTemplate(*self._get_start(port, category), end)
        outputs = tuple([script.output for script in port.scripts])
        if not self._seen.was_seen(hash((outputs, port.number, port.reason_ttl, id(port.service)))):
            return port, template
        weight = MIN_TEMPLATE_BYTES + len(end) + sum(map(len, outputs))
        return self._ports.keep(id(port), (port, template), weight)

    def _get_attributes(self, port: Port) -> bytes:
        """The JSON of the port's attributes. Ports whose scripts differ share them, with their service."""
        key = id(port.service), port.number, port.protocol, port.state, port.reason, port.reason_ttl, port.reason_ip
        if cached := self._attributes.get(key):  # of this very service, since the entry holds it
            return cached[1]
        attributes = _encode_attributes(port)
        return self._attributes.keep(key, (port.service, attributes), MIN_TEMPLATE_BYTES + len(attributes))[1]

    def _get_start(self, port: Port, category: str) -> Start:
        """The part of a port's template that does not depend on its version."""
        key = port.number, port.protocol, port.state, port.service.name if port.service else ""
        cached = self._starts.get(key)
        return cached or self._starts.keep(key, build_start(port, category), MIN_TEMPLATE_BYTES + len(key[3]))

    def write_scripts(self, ports: list[Port], encoder: FindingEncoder) -> None:
        """Add the findings of the ports' scripts to those of a host that was requested by its address."""
        pending: list[FindingTemplate] = []
        for port in ports:
            for script in port.scripts:
                templates = self._get_script_templates(script, port)
                if templates is not None:
                    pending += templates
                    continue
                if pending:
                    encoder.render(pending)
                    pending = []
                for _ in script_findings_at(encoder, script, port):
                    pass
        encoder.render(pending)

    def _get_script_templates(self, script: Script, port: Port) -> Templates | None:
        """None: they cannot be shared, or the script occurs for the first time."""
        key = id(script), port.protocol, port.number, port.state
        entry = self._scripts.get(key)
        if entry is not None:  # of this very script, since the entry holds it
            return entry[1]
        if not self._seen.was_seen(hash(script.output)):
            return None
        templates = build_shared_templates(script, port, self._parsed_at)
        weight = MIN_TEMPLATE_BYTES + len(script.output) + sum(map(weigh, templates or ()))
        return self._scripts.keep(key, (script, templates), weight)[1]


@lru_cache(maxsize=1)
def cache_for(parsed_at: datetime) -> EncodedFindingCache:
    return EncodedFindingCache(parsed_at)


def weigh(template: FindingTemplate) -> int:
    return len(template.before_name) + len(template.after_name) + len(template.end)


def _encode_attributes(port: Port) -> bytes:
    return b"," + encode(PortAttributes.of(port))[1:-1]


def build_start(port: Port, category: str) -> Start:
    fields = FindingFields(
        name_port_finding(port, category), describe_port(port), category, INFORMATIONAL, NETWORK, f"{port.protocol}://"
    )
    return FindingTemplate.of(fields, (port.protocol, str(port.number)), b':%d","attributes":' % port.number, b"")[:-1]


def build_shared_templates(script: Script, port: Port, parsed_at: datetime) -> Templates | None:
    """The findings of the script on any host that was requested by its address. None: they depend on the host."""
    subject = _AnonymousSubject(parsed_at)
    try:
        for _ in script_findings_at(subject, script, cast("Port", _BarePort(port))):
            pass
    except AttributeError:
        return None
    blank = encode(BLANK)[1:-1]
    for template in subject.templates:
        if any(blank in text for text in (template.before_name, template.after_name, template.end)):
            return None
    return tuple(subject.templates)


class _AnonymousSubject(Subject):
    """A subject without a host: to read any attribute of one raises an AttributeError."""

    __slots__ = ("templates",)
    asked_name = None  # the findings are shared by hosts that were requested by their address

    def __init__(self, parsed_at: datetime) -> None:  # no host: the slots of Subject stay unset
        self.parsed_at = parsed_at
        self.authority = BLANK
        self.templates: list[FindingTemplate] = []

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
        scheme, _, path = location.partition(BLANK)
        fields = FindingFields(name, description, category, severity.value, NETWORK, scheme)
        after_name = encode(path)[1:-1] + b'","attributes":'
        self.templates.append(FindingTemplate.of(fields, about, after_name, encode(attributes)[1:] + b"}"))
        return PLACEHOLDER


class _BarePort:
    """A port's number, protocol and state: to read another attribute raises an AttributeError."""

    __slots__ = ("number", "protocol", "state")

    def __init__(self, port: Port) -> None:
        self.number, self.protocol, self.state = port.number, port.protocol, port.state
