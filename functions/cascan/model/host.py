"""What nmap says of a host: nmap.dtd's words, one value per element."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec


class Script(msgspec.Struct, frozen=True):
    """Output of one NSE script. `data` holds its tables and elems: dict, list or text; None when it gave none."""

    id: str
    output: str
    data: Any = None


class Service(msgspec.Struct, frozen=True, kw_only=True):
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
    cpe: tuple[str, ...] = ()

    @property
    def known_as(self) -> str:
        """The name people use: nmap says `http` inside `ssl` where everyone, and every rule, says `https`."""
        return "https" if self.name == "http" and self.tunnel == "ssl" else self.name


class Port(msgspec.Struct, frozen=True, kw_only=True):
    protocol: str  # tcp, udp, sctp or ip
    number: int
    state: str  # open, closed, filtered, unfiltered, open|filtered, closed|filtered
    reason: str = ""
    reason_ttl: int | None = None
    reason_ip: str = ""
    service: Service | None = None
    scripts: tuple[Script, ...] = ()


class Address(msgspec.Struct, frozen=True):
    addr: str
    kind: str  # ipv4, ipv6 or mac
    vendor: str = ""


class Hostname(msgspec.Struct, frozen=True):
    name: str
    kind: str  # user: as asked; PTR: from reverse DNS


class OsMatch(msgspec.Struct, frozen=True):
    name: str
    accuracy: int  # percent


class ExtraPorts(msgspec.Struct, frozen=True):
    """Ports nmap counts instead of listing them."""

    state: str
    count: int


class Host(msgspec.Struct, frozen=True, kw_only=True):
    state: str  # up, down, unknown or skipped
    addresses: tuple[Address, ...]
    reason: str = ""
    hostnames: tuple[Hostname, ...] = ()
    ports: tuple[Port, ...] = ()
    extraports: tuple[ExtraPorts, ...] = ()
    scripts: tuple[Script, ...] = ()
    os_matches: tuple[OsMatch, ...] = ()
    timed_out: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None
    details: dict[str, Any] = {}  # every other element of the host by tag, as lists: os, uptime, distance, trace, times

    def called(self, names: Mapping[str, str]) -> str:
        """The host's name: from `names` (address → name), else as nmap was asked, else from reverse DNS, else empty."""
        asked = [names[address.addr] for address in self.addresses if address.addr in names]
        found = sorted(self.hostnames, key=lambda hostname: hostname.kind != "user")
        return next((name for name in (*asked, *(hostname.name for hostname in found)) if name), "")

    @property
    def address(self) -> str:
        """The network address: IPv4 or IPv6, else empty (a report may carry a MAC alone)."""
        return next((a.addr for a in self.addresses if a.kind != "mac"), "")

    @property
    def mac(self) -> str:
        """The MAC address, else empty: only a neighbour's is seen, and only by a privileged scan."""
        return next((a.addr for a in self.addresses if a.kind == "mac"), "")
