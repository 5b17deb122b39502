"""What nmap says of a host: nmap.dtd's words, one value per element."""

from __future__ import annotations

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

    @property
    def address(self) -> str:
        """The network address: IPv4 or IPv6, else empty (a report may carry a MAC alone)."""
        return next((a.addr for a in self.addresses if a.kind != "mac"), "")
