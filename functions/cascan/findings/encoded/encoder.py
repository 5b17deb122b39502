"""A subject whose findings are encoded as lines of JSON at once, without values in between.

What all findings of a host share (its attributes, its name in a location, the time) is encoded once per host. What a
port or a script adds on every host that shows it is a FindingTemplate, encoded once for all hosts: rendering it takes
two hashes and one join.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from cascan.findings.hosts import CATEGORY, DESCRIPTION, HostAttributes
from cascan.findings.subject import Subject
from cascan.ids import encode_id_fields, scan_hash
from cascan.model.finding import Finding, FindingLine, Severity
from cascan.model.host import Host

if TYPE_CHECKING:
    from _hashlib import HASH

NETWORK = "NETWORK"
INFORMATIONAL = Severity.INFORMATIONAL.value
ID = slice(len('{"id":"'), len('{"id":"') + 36)  # of a line
read_id = itemgetter(ID)
encode = msgspec.json.Encoder().encode
PLACEHOLDER = Finding(  # what the readers of scripts get in place of a finding that was encoded already
    id="",
    fingerprint="",
    parsed_at=datetime.min,  # noqa: DTZ901 (it is never read)
    name="",
    description="",
    category="",
    severity=Severity.INFORMATIONAL,
    osi_layer=NETWORK,
    location="",
    attributes={},
)


class FindingFields(msgspec.Struct, gc=False):
    """The fields of a finding between its time and its attributes, in its order."""

    name: str
    description: str
    category: str
    severity: str
    osi_layer: str
    location: str


class FindingTemplate(NamedTuple):
    """A finding without its host: the input of its fingerprint, before and after the address, and its JSON."""

    category: str
    severity: str
    before_address: bytes
    after_address: bytes
    before_name: bytes  # JSON from behind the time up to the host's name in the location
    after_name: bytes  # JSON from there up to the host's attributes
    end: bytes  # JSON behind the host's attributes

    @classmethod
    def of(cls, fields: FindingFields, about: Iterable[str], after_name: bytes, end: bytes) -> FindingTemplate:
        """`fields.location` ends before the host's name. `end` follows the host's attributes and a comma."""
        before_address = f"{fields.category}\x1f".encode()
        after_address = "".join([f"\x1f{key}" for key in about]).encode()
        before_name = encode(fields)[1:-2]
        return cls(fields.category, fields.severity, before_address, after_address, before_name, after_name, b"," + end)


class FindingEncoder(Subject):
    """Collects the lines of one host; `kinds` has the category and severity of each."""

    __slots__ = ("_about", "_authority", "_dated", "_host_attributes", "_scan", "kinds", "lines")

    def __init__(
        self, host: Host, hostname: str | None, scan_id: str, parsed_at: datetime, named_by_request: bool = False
    ) -> None:
        super().__init__(host, hostname, scan_id, parsed_at, named_by_request)
        self._scan, self._dated = _of_scan(scan_id, parsed_at)
        self._about = self.address.encode()
        self._authority = encode(self.authority)[1:-1]
        self._host_attributes = encode(self.attributes)[:-1]  # without the brace that closes it
        self.lines: list[bytes] = []
        self.kinds: list[Sequence[Any]] = []

    def render(self, templates: Sequence[FindingTemplate]) -> None:
        """Add the findings of these templates."""
        scan, address, dated = self._scan, self._about, self._dated
        authority, host = self._authority, self._host_attributes
        self.lines += [
            b"".join((encode_id_fields(scan, before + address + after), dated, start, authority, middle, host, end))
            for _, _, before, after, start, middle, end in templates
        ]
        self.kinds += templates

    def write_host(self) -> None:
        """Add the finding that `host_finding` builds. Every host has it, so its text is joined without a template."""
        label = self._authority if self.authority is self.label else encode(self.label)[1:-1]
        end = encode(HostAttributes.of(self.host))[1:]
        text = (HOST[0], label, HOST[1], label, b'","attributes":', self._host_attributes, b",", end, b"}")
        self._write(encode_id_fields(self._scan, ABOUT_HOST + self._about), text)
        self.kinds.append((CATEGORY, INFORMATIONAL))

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
        """Add the finding. Returns a placeholder."""
        ids = encode_id_fields(self._scan, "\x1f".join((category, self.address, *about)).encode())
        fields = encode(FindingFields(name, description, category, severity.value, NETWORK, location))[1:-1]
        end = b"," + encode(attributes)[1:] if attributes else b"}"
        self._write(ids, (fields, b',"attributes":', self._host_attributes, end, b"}"))
        self.kinds.append((category, severity.value))
        return PLACEHOLDER

    @property
    def repeats_an_id(self) -> bool:
        """Two lines have the same id, for which `build_findings` makes two."""
        return len(set(map(read_id, self.lines))) < len(self.lines)

    def to_finding_lines(self) -> list[FindingLine]:
        """The lines, each with the fields by which it is stored and counted."""
        return [
            FindingLine(line[ID].decode(), kind[1], kind[0], line)
            for line, kind in zip(self.lines, self.kinds, strict=True)
        ]

    def _write(self, ids: bytes, text: tuple[bytes, ...]) -> None:
        self.lines.append(b"".join((ids, self._dated, *text)))


@lru_cache(maxsize=4)
def _of_scan(scan_id: str, parsed_at: datetime) -> tuple[HASH, bytes]:
    """The hash that the ids of the scan's findings continue, and the JSON of the time behind the fingerprint."""
    return scan_hash(scan_id), b'","parsed_at":' + encode(parsed_at) + b","


def _split_at_label() -> tuple[bytes, bytes]:
    """The text of a host's finding: before its name, and from there to its location."""
    fields = FindingFields("Host: \n", DESCRIPTION, CATEGORY, INFORMATIONAL, NETWORK, "")
    before_name, _, after_name = encode(fields)[1:-2].partition(rb"\n")
    return before_name, after_name


HOST = _split_at_label()
ABOUT_HOST = f"{CATEGORY}\x1f".encode()
