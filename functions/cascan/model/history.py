"""The past of addresses: what each report said of an address, whole, with the time of looking.

A look is one report's view of one address. Every state at every time is read from the looks alone.
So a report that arrives late, or twice, needs no correction of what is stored already.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

import msgspec

HOST_NOT_UP = "host not up"
NOT_COVERED = "not covered"  # no look covered the port, or the newest is too old

LookOrder = tuple[datetime, str, int, int, int, str]


class SeenService(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an open port said of its service. Each text is at most MAX_SERVICE_CHARS long."""

    name: str = ""
    product: str = ""
    version: str = ""
    extrainfo: str = ""
    tunnel: str = ""
    cpe: tuple[str, ...] = ()
    # The service was probed (-sV); else its name is a guess from the port number
    probed: bool = False

    @property
    def summary(self) -> str:
        """`https nginx 1.25.3 (Ubuntu)`"""
        extra = f"({self.extrainfo})" if self.extrainfo else ""
        return " ".join(filter(None, (self.name, self.product, self.version, extra)))


class OpenPorts(msgspec.Struct, frozen=True):
    """Open ports of one protocol that have the same service."""

    protocol: str
    ports: str  # as nmap writes a list of them: `22,8000-8010`
    service: SeenService = SeenService()


class NotOpenPorts(msgspec.Struct, frozen=True):
    """The states of the ports of one protocol that were covered, apart from those that were open.

    A covered port has `state`, unless `exceptions`, by state, lists it.
    """

    protocol: str
    ports: str  # covered; they may include open ones
    state: str
    exceptions: dict[str, str] = {}


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What one host element of a report said of an address; or that the address was not up."""

    address: str
    seen_at: datetime
    scan_id: str
    shard: int
    attempt: int
    is_up: bool = True  # False: not up, whichever port is asked about
    open_ports: tuple[OpenPorts, ...] = ()
    not_open: tuple[NotOpenPorts, ...] = ()
    # Of the host element in the report, in bytes; 0 bytes: it has none, or its place is unknown
    offset: int = 0
    length: int = 0

    @property
    def order(self) -> LookOrder:
        """By time; looks of the same time by their place in the reports."""
        return self.seen_at, self.scan_id, self.shard, self.attempt, self.offset, self.address


class NetworkQuery(NamedTuple):
    """Addresses whose looks are read. They are all in one /24 of IPv4, or one /120 of IPv6."""

    addresses: Collection[str]
    since: datetime | None = None  # looks before then are not read
