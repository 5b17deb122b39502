"""The inventory: what is known of an address, what one report adds to it, and what changed.

A sighting is what one scan saw of a port, or of the host itself; the inventory holds the newest.
Sightings are ordered by time, and by scan id where two have the same time.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

OPEN = "open"
UP, NOT_UP = "up", "not up"
# nmap's state for no answer, which for a UDP port may mean either
OPEN_OR_FILTERED = "open|filtered"
NOT_OPEN = "closed|filtered"  # nmap's state for one of the two: not open

PortKey = tuple[str, int]  # protocol and number
Version = tuple[datetime, str]
FirstSeen = dict[PortKey | None, datetime]  # open, by port; None: the host itself, up


class Sighting(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a scan saw: of a port in nmap's words, of a host `up` or `not up`."""

    state: str
    seen_at: datetime
    scan_id: str
    service: str = ""
    product: str = ""
    version: str = ""
    # These three are details: a service that differs in them alone has not changed
    extrainfo: str = ""
    tunnel: str = ""
    cpe: tuple[str, ...] = ()
    # The service was probed (-sV); else its name is a guess from the port number
    probed: bool = False

    @property
    def order(self) -> Version:
        return self.seen_at, self.scan_id


class Unlisted(msgspec.Struct, frozen=True):
    """Ports that a report only counts, without listing them one by one, and their state."""

    protocol: str
    ports: str  # as nmap writes a list of them: `1-50,80`
    state: str


class PortCoverage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Ports of one protocol that a scan covered; `state` is that of the ports that were not open.

    `open|filtered` counts as covered: a port that is seen open afterwards is taken to have opened.
    But it tells neither that a port is open nor that it is closed.
    """

    protocol: str
    ports: str  # `1-1000,8080`
    seen_at: datetime
    scan_id: str
    state: str = NOT_OPEN
    # The ports that were scanned on every host of the scan: stored once for all of them
    common: bool = False

    @property
    def order(self) -> Version:
        return self.seen_at, self.scan_id

    @property
    def is_conclusive(self) -> bool:
        """The scan tells of each of these ports whether it was open."""
        return self.state != OPEN_OR_FILTERED

    @property
    def sighting(self) -> Sighting:
        """Of a port that was covered, and not seen open."""
        return Sighting(state=self.state, seen_at=self.seen_at, scan_id=self.scan_id)


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """What one report says of one address."""

    address: str
    seen_at: datetime
    scan_id: str
    up: bool | None  # None: the report cannot tell
    hostname: str = ""
    # By which the host is known at whatever address; empty: the report does not have it. None: the
    # scan knows hosts by their addresses
    identity: str | None = None
    asked_name: str = ""  # under which a request named the address; never from reverse DNS
    ports: dict[PortKey, Sighting] = {}  # listed, and known to be open or not to be
    unlisted: tuple[Unlisted, ...] = ()
    coverage: tuple[PortCoverage, ...] = ()

    @property
    def order(self) -> Version:
        return self.seen_at, self.scan_id


class PortRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A port that was open at some time."""

    protocol: str
    port: int
    latest: Sighting
    first_seen: datetime  # open
    last_seen: datetime  # open

    @property
    def key(self) -> PortKey:
        return self.protocol, self.port

    @property
    def is_open(self) -> bool:
        return self.latest.state == OPEN

    @property
    def text(self) -> str:
        """What scans know of its service, in lower case."""
        seen = self.latest
        return "\n".join((seen.service, seen.product, seen.version, seen.extrainfo, *seen.cpe)).casefold()


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a scan saw an identity up."""

    address: str
    seen_at: datetime
    scan_id: str

    @property
    def order(self) -> tuple[datetime, str, str]:
        return self.seen_at, self.scan_id, self.address


class Missed(msgspec.Struct, frozen=True, kw_only=True):
    """A scan did not find an identity at the address where it was last."""

    identity: str
    seen_at: datetime
    scan_id: str


class HostRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A host that was up at some time. What was never up or open has no record.

    There is a record of each address, and one of each identity, with what was seen of it at whatever
    address; that one has `places`.
    """

    address: str  # of an identity: where it was up last
    latest: Sighting
    first_seen: datetime  # up
    last_seen: datetime  # up
    hostname: str = ""  # the newest that a scan knew
    asked_name: str = ""  # the newest under which a request named the address; never from reverse DNS
    ports: tuple[PortRecord, ...] = ()  # in order of protocol and number
    coverage: tuple[PortCoverage, ...] = ()  # newest first
    revision: int = 0  # grows with every change in the table
    # Of an identity: its own. Of an address: the one that was up there last, if the report had one
    identity: str = ""
    places: tuple[Place, ...] = ()  # of an identity: the newest, oldest first
    missed: tuple[Missed, ...] = ()  # of an address: identities that may be elsewhere now

    @property
    def times(self) -> FirstSeen:
        times: FirstSeen = {port.key: port.first_seen for port in self.ports}
        times[None] = self.first_seen
        return times

    @property
    def key(self) -> str:
        """By which the record is found: the identity or the address."""
        return self.identity if self.places else self.address

    @property
    def is_up(self) -> bool:
        return self.latest.state == UP

    @property
    def open_ports(self) -> tuple[PortRecord, ...]:
        """The ports that are open now; none of a host that is gone."""
        return tuple(port for port in self.ports if port.is_open) if self.is_up else ()


class ChangeKind(StrEnum):
    """Named as the events that announce them."""

    HOST_APPEARED = "HostAppeared"
    HOST_GONE = "HostGone"
    HOST_MOVED = "HostMoved"
    PORT_OPENED = "PortOpened"
    PORT_CLOSED = "PortClosed"
    SERVICE_CHANGED = "ServiceChanged"


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One difference between a scan and the last one that covered the same address and port, with
    both sightings.
    """

    kind: ChangeKind
    address: str
    after: Sighting
    before: Sighting | None = None
    hostname: str = ""
    protocol: str = ""  # of a port; of a host empty
    port: int | None = None
    identity: str = ""  # of a host that is known by one
    previous_address: str = ""  # of a host that moved

    @property
    def is_baseline(self) -> bool:
        """No scan covered it before: it may have been there all along."""
        return self.before is None


class HostUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """A host's record after a report, with what changed. Stored together, or not at all."""

    record: HostRecord
    known: HostRecord | None  # what it was compared with; None: there was no record
    changes: tuple[Change, ...] = ()


class InventoryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for in the inventory. A host has to meet every condition that is set."""

    # Family, lowest and highest address, disjoint; empty: anywhere
    networks: tuple[tuple[int, int, int], ...] = ()
    hostnames: frozenset[str] = frozenset()  # it has one of these, in lower case
    ports: frozenset[PortKey] = frozenset()  # one of these is open
    service: str = ""  # an open port has this one
    text: str = ""  # occurs in the host's name or in the service of an open port; case does not matter
    since: datetime | None = None  # a port was first seen open at or after this time
    was_open: bool = False  # also hosts that are gone, and ports that closed

    def ports_of(self, host: HostRecord) -> tuple[PortRecord, ...]:
        """The host's ports that match: those that are open, or with `was_open` those that ever
        were.
        """
        candidates = host.ports if self.was_open else host.open_ports
        if self.ports:
            candidates = tuple(port for port in candidates if port.key in self.ports)
        if self.since is not None:
            since = self.since
            candidates = tuple(port for port in candidates if port.first_seen >= since)
        if self.text and self.text.casefold() not in host.hostname.casefold():
            candidates = tuple(port for port in candidates if self.text.casefold() in port.text)
        return tuple(port for port in candidates if self.service in ("", port.latest.service))

    def fits(self, host: HostRecord) -> bool:
        """Whether a host in the networks matches. Without conditions on ports every host does, also
        one that is gone.
        """
        if self.hostnames and host.hostname.casefold() not in self.hostnames:
            return False
        asks_for_ports = self.ports or self.service or self.text or self.since
        return not asks_for_ports or bool(self.ports_of(host))
