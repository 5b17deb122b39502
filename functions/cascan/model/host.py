"""What nmap says of a host: nmap.dtd's words, one value per element.

`Host.details` holds every element that has no field of its own, as data.
Hosts for which nmap printed the same share one value, so values must not be changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec


class Script(msgspec.Struct, frozen=True, gc=False):
    """Output of one NSE script.

    `data` holds its tables and elems: a dict by key, a list where no key is given, text; None when it gave none. A key
    that repeats holds the list of its values; values without a key beside keyed ones stand in a list under "".
    `nodes` holds the same in nmap's order where `data` cannot tell it (keys repeated, keys given to some only, text
    between); else it is empty.
    """

    id: str
    output: str
    data: Any = None
    nodes: tuple[Node, ...] = ()


class Node(msgspec.Struct, frozen=True, gc=False):
    """A table, an elem, or text between them."""

    kind: str  # table, elem or text
    key: str | None = None
    text: str = ""  # of an elem or a text
    children: tuple[Node, ...] = ()  # of a table


class Service(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    name: str = ""
    product: str = ""
    version: str = ""
    extrainfo: str = ""
    ostype: str = ""
    devicetype: str = ""
    hostname: str = ""
    tunnel: str = ""  # "ssl" or empty
    method: str = ""  # "table": a guess from the port number; "probed": asked
    confidence: int | None = None  # 0 to 10
    servicefp: str = ""
    proto: str = ""  # "rpc" or empty; this and the next three are of nmap before 6
    rpcnum: int | None = None
    lowver: int | None = None
    highver: int | None = None
    banner: str = ""  # masscan's word: what the service sent first
    cpe: tuple[str, ...] = ()

    @property
    def common_name(self) -> str:
        """The name people use: `https` where nmap says `http` inside `ssl`. The inventory is kept under it."""
        return "https" if self.name == "http" and self.tunnel == "ssl" else self.name


class Port(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    protocol: str  # tcp, udp, sctp or ip
    number: int
    state: str  # open, closed, filtered, unfiltered, open|filtered, closed|filtered
    reason: str = ""
    reason_ttl: int | None = None
    reason_ip: str = ""
    owner: str = ""  # who runs the service, by identd: nmap before 6
    service: Service | None = None
    scripts: tuple[Script, ...] = ()


class Address(msgspec.Struct, frozen=True, gc=False):
    addr: str
    kind: str  # ipv4, ipv6 or mac
    vendor: str = ""


class Hostname(msgspec.Struct, frozen=True, gc=False):
    name: str
    kind: str  # user: as asked; PTR: from reverse DNS


class OsClass(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    vendor: str = ""
    family: str = ""
    generation: str = ""
    type: str = ""  # general purpose, WAP, webcam …
    accuracy: int | None = None
    cpe: tuple[str, ...] = ()


class OsMatch(msgspec.Struct, frozen=True, gc=False):
    name: str
    accuracy: int  # percent
    line: int | None = None  # in nmap-os-db
    classes: tuple[OsClass, ...] = ()  # old reports have them beside the matches, in Host.details


class ExtraReason(msgspec.Struct, frozen=True, gc=False):
    reason: str
    count: int
    protocol: str = ""
    ports: str = ""  # which: `1-50,80`; nmap before 7.9 does not say


class ExtraPorts(msgspec.Struct, frozen=True, gc=False):
    """Ports nmap counts instead of listing them."""

    state: str
    count: int
    reasons: tuple[ExtraReason, ...] = ()


class Host(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    state: str  # up, down, unknown or skipped
    addresses: tuple[Address, ...]
    reason: str = ""
    reason_ttl: int | None = None
    hostnames: tuple[Hostname, ...] = ()
    ports: tuple[Port, ...] = ()
    extraports: tuple[ExtraPorts, ...] = ()
    scripts: tuple[Script, ...] = ()
    os_matches: tuple[OsMatch, ...] = ()
    timed_out: bool = False
    comment: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    details: dict[str, list[dict[str, Any]]] = {}  # every other element by tag: os, uptime, distance, trace, times …

    def find_name(self, names: Mapping[str, str]) -> str:
        """The host's name: from `names` (address → name), else as nmap was asked, else from reverse DNS, else empty."""
        if names:
            for address in self.addresses:
                if name := names.get(address.addr):
                    return name
        if len(self.hostnames) == 1:
            return self.hostnames[0].name
        found = sorted(self.hostnames, key=lambda hostname: hostname.kind != "user")
        return next((hostname.name for hostname in found if hostname.name), "")

    def find_asked_name(self, names: Mapping[str, str]) -> str:
        """The name under which the host was scanned: from `names`, else as nmap was asked, else empty."""
        if names:
            for address in self.addresses:
                if name := names.get(address.addr):
                    return name
        return next((hostname.name for hostname in self.hostnames if hostname.kind == "user"), "")

    @property
    def address(self) -> str:
        """The network address: IPv4 or IPv6, else empty (a report may carry a MAC alone)."""
        return next((a.addr for a in self.addresses if a.kind != "mac"), "")

    @property
    def mac(self) -> str:
        """The MAC address, else empty: only a neighbour's is seen, and only by a privileged scan."""
        return next((a.addr for a in self.addresses if a.kind == "mac"), "")
