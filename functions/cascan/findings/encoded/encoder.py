"""A subject whose findings become lines of JSON as they are made, without values in between.

What every finding of a host says (its attributes, its name in a location, the time) is encoded once a host. What a
port or a script says on every host that shows it is a Wire, encoded once for all of them: filling it in takes two
hashes and one join.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
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
ID = slice(len('{"id":"'), len('{"id":"') + 36)  # where the id stands in a line
encode = msgspec.json.Encoder().encode
PLACEHOLDER = Finding(  # what the readers of scripts pass on in place of a finding whose line is made
    id="",
    fingerprint="",
    parsed_at=datetime.min,  # noqa: DTZ901 (nobody reads it)
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
    """A finding without its host: what its fingerprint is made of, around the address, and its text."""

    category: str
    severity: str
    before_address: bytes
    behind_address: bytes
    front: bytes  # from behind the time up to the host's name in the location
    back: bytes  # from there up to the host's attributes
    rest: bytes

    @classmethod
    def of(cls, told: FindingFields, about: Iterable[str], back: bytes, rest: bytes) -> FindingTemplate:
        """`told.location` ends before the host's name. `rest` is what follows the host's attributes and a comma."""
        before, behind = f"{told.category}\x1f".encode(), "".join([f"\x1f{part}" for part in about]).encode()
        return cls(told.category, told.severity, before, behind, encode(told)[1:-2], back, b"," + rest)


class FindingEncoder(Subject):
    """Gathers the lines of one host; `kinds` tells of each its category and severity."""

    __slots__ = ("_about", "_authority", "_dated", "_own", "_scan", "kinds", "lines")

    def __init__(
        self, host: Host, hostname: str | None, scan_id: str, parsed_at: datetime, named_by_request: bool = False
    ) -> None:
        super().__init__(host, hostname, scan_id, parsed_at, named_by_request)
        self._scan, self._dated = _of_scan(scan_id, parsed_at)
        self._about = self.address.encode()
        self._authority = encode(self.authority)[1:-1]
        self._own = encode(self.attributes)[:-1]  # without the brace that closes it
        self.lines: list[bytes] = []
        self.kinds: list[Sequence[Any]] = []

    def fill(self, wires: Sequence[FindingTemplate]) -> None:
        """Write the findings of these wires."""
        scan, address, dated, authority, own = self._scan, self._about, self._dated, self._authority, self._own
        self.lines += [
            b"".join((encode_id_fields(scan, before + address + behind), dated, front, authority, back, own, rest))
            for _, _, before, behind, front, back, rest in wires
        ]
        self.kinds += wires

    def write_host(self) -> None:
        """Write what `host_finding` makes: every host has it, so its text is put together by hand."""
        label = self._authority if self.authority is self.label else encode(self.label)[1:-1]
        rest = encode(HostAttributes.of(self.host))[1:]
        text = (HOST[0], label, HOST[1], label, b'","attributes":', self._own, b",", rest, b"}")
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
        """Write the finding. What is returned stands for it, and says nothing."""
        ids = encode_id_fields(self._scan, "\x1f".join((category, self.address, *about)).encode())
        told = encode(FindingFields(name, description, category, severity.value, NETWORK, location))[1:-1]
        rest = b"," + encode(attributes)[1:] if attributes else b"}"
        self._write(ids, (told, b',"attributes":', self._own, rest, b"}"))
        self.kinds.append((category, severity.value))
        return PLACEHOLDER

    @property
    def repeats_an_id(self) -> bool:
        """Two lines are of one id, which `build_findings` tells apart."""
        return len({line[ID] for line in self.lines}) < len(self.lines)

    def told(self) -> list[FindingLine]:
        """The lines, each with what it is stored and counted by."""
        return [
            FindingLine(line[ID].decode(), kind[1], kind[0], line)
            for line, kind in zip(self.lines, self.kinds, strict=True)
        ]

    def _write(self, ids: bytes, text: tuple[bytes, ...]) -> None:
        self.lines.append(b"".join((ids, self._dated, *text)))


@lru_cache(maxsize=4)
def _of_scan(scan_id: str, parsed_at: datetime) -> tuple[HASH, bytes]:
    """The hash that the ids of the scan's findings go on from, and the time as it stands behind the fingerprint."""
    return scan_hash(scan_id), b'","parsed_at":' + encode(parsed_at) + b","


def _around_label() -> tuple[bytes, bytes]:
    """The text of a host's finding, before its name and from there to its location."""
    told = FindingFields("Host: \n", DESCRIPTION, CATEGORY, INFORMATIONAL, NETWORK, "")
    name, _, rest = encode(told)[1:-2].partition(rb"\n")
    return name, rest


HOST = _around_label()
ABOUT_HOST = f"{CATEGORY}\x1f".encode()
