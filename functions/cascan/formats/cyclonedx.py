"""CycloneDX 1.6: what is there, as an inventory that asset and vulnerability management reads.

    what a record is                         in the document
    ───────────────────────────────────────  ─────────────────────────────────────────────────
    its host                                 a component of type `device`, once
    an open port                             a service; its software a component with its CPE;
                                             a dependency of the service on both
    a weakness, or what a rule made one      a vulnerability of the service or the host
    what else a script reports               an annotation of the service or the host

What is gone is left out: the document lists what is there. A host whose port closed is listed.
Only hosts are remembered, by a number each. What follows the components in the document waits in
temporary files, not in memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import IO
from uuid import uuid5

import msgspec

from cascan.clock import to_wire
from cascan.formats.cyclonedx_elements import (
    Element,
    build_device,
    build_service,
    build_software,
    build_vulnerability,
    list_properties,
)
from cascan.formats.facts import Place, find_place, to_limited_line
from cascan.formats.ocsf import INVENTORY, VULNERABILITY, find_class
from cascan.formats.records import Export, Record, Status
from cascan.ids import NAMESPACE
from cascan.limits import MAX_CYCLONEDX_TEXT_BYTES
from cascan.model.finding import Severity
from cascan.model.inventory import OPEN

SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
LATER = ("services", "dependencies", "vulnerabilities", "annotations")  # in this order, after the components
COPIED_BYTES = 65_536
_encode = msgspec.json.encode


def render_cyclonedx(records: Iterable[Record], export: Export) -> Iterator[bytes]:
    yield _render_head(export) + b',"components":['
    with ExitStack() as files:
        parts = {name: _Part(files.enter_context(_open_file())) for name in LATER}
        bom, separator = _Bom(parts, export), b"\n"
        for record in records:
            for component in bom.add(record):
                yield separator + _encode(component)
                separator = b",\n"
        for name, part in parts.items():
            yield b'\n],"%b":[' % name.encode()
            yield from part.read()
    yield b"\n]}\n"


def _render_head(export: Export) -> bytes:
    texts = {"title": export.title, "vantage": export.vantage, "note": " ".join(export.notes)}
    serial = uuid5(NAMESPACE, f"{export.title} {to_wire(export.generated_at)}")
    metadata = {
        "timestamp": to_wire(export.generated_at),
        "tools": {"components": [_describe_tool(export)]},
        "properties": list_properties(texts),
    }
    head = {"$schema": SCHEMA, "bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": f"urn:uuid:{serial}"}
    return _encode(head | {"version": 1, "metadata": metadata})[:-1]


def _open_file() -> IO[bytes]:
    return tempfile.SpooledTemporaryFile(max_size=MAX_CYCLONEDX_TEXT_BYTES)


class _Part:
    """The elements of one array, as text, until it is their turn."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._separator = b"\n"

    def add(self, element: Element) -> None:
        self._file.write(self._separator + _encode(element))
        self._separator = b",\n"

    def read(self) -> Iterator[bytes]:
        self._file.seek(0)
        while chunk := self._file.read(COPIED_BYTES):
            yield chunk


class _Bom:
    """Sorts records into the arrays of the document."""

    def __init__(self, parts: dict[str, _Part], export: Export) -> None:
        self._parts = parts
        self._tool = _describe_tool(export)
        self._hosts: dict[int, int] = {}  # a hash of each host, and how often its records began
        self._host = ""  # whose records are read now
        self._visit = ""  # distinguishes services of a host whose records are in several places
        self._services: set[str] = set()  # of this host

    def add(self, record: Record) -> Iterator[Element]:
        """Yields the components that are new. The rest waits in its part."""
        place = find_place(record.finding)
        is_gone = record.status is Status.GONE
        if is_gone and place.port is None:
            return
        name = place.host or to_limited_line(record.finding.location) or "unknown"
        host = f"{record.vantage}/{'' if place.host else 'location/'}{name}"
        if host != self._host:
            yield from self._begin_host(host, name, place, record)
        if is_gone:
            return
        subject = host
        is_service = record.finding.attributes.get("state") in (None, "", OPEN)  # scripts do not repeat the state
        if place.port is not None and place.uri and is_service:
            subject = f"{record.vantage}/{place.uri}{self._visit}"
            if subject not in self._services:
                self._services.add(subject)
                yield from self._add_service(subject, place, record)
        self._add_statement(subject, record)

    def _begin_host(self, host: str, name: str, place: Place, record: Record) -> Iterator[Element]:
        key = hash(host)
        visits = self._hosts[key] = self._hosts.get(key, 0) + 1
        self._host, self._services = host, set()
        self._visit = f"#{visits}" if visits > 1 else ""
        if visits == 1:
            yield build_device(host, name, place, record)

    def _add_service(self, ref: str, place: Place, record: Record) -> Iterator[Element]:
        """Yields the component of the service's software, if it is known."""
        finding = record.finding
        software = build_software(f"{ref}/software", finding)
        self._parts["services"].add(build_service(ref, place, record))
        depends_on = [self._host, *([software["bom-ref"]] if software else [])]
        self._parts["dependencies"].add({"ref": ref, "dependsOn": depends_on})
        if software:
            yield software

    def _add_statement(self, subject: str, record: Record) -> None:
        kind = find_class(record)
        if kind == INVENTORY or record.change:
            return
        if kind == VULNERABILITY or record.finding.severity is not Severity.INFORMATIONAL:
            self._parts["vulnerabilities"].add(build_vulnerability(subject, record))
        else:
            self._parts["annotations"].add(self._build_annotation(subject, record))

    def _build_annotation(self, subject: str, record: Record) -> Element:
        finding = record.finding
        texts = map(to_limited_line, (finding.name, finding.description))
        return {
            "bom-ref": record.uid,
            "subjects": [subject],
            "annotator": {"component": self._tool},
            "timestamp": to_wire(finding.parsed_at),
            "text": ": ".join(filter(None, texts)) or to_limited_line(finding.category),
        }


def _describe_tool(export: Export) -> Element:
    return {"type": "application", "name": "cascan", "version": export.version}
