"""Reachability: the state of each port of a host, as seen from each vantage."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from cascan.gateways import Vantages
from cascan.model.history import NOT_COVERED
from cascan.model.inventory import OPEN, HostRecord, InventoryQuery, PortKey
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.nmap.addresses import order_address, parse_address
from cascan.queries.history import Answer, Past, find_answers


@dataclass(frozen=True, slots=True)
class PortReach:
    """A port of an address, with an answer of each vantage in order."""

    address: str
    key: PortKey
    answers: tuple[Answer, ...]
    hostname: str = ""

    @property
    def is_open(self) -> bool:
        """Open from at least one vantage."""
        return any(answer.state == OPEN for answer in self.answers)

    @property
    def differs(self) -> bool:
        """Vantages that looked at the port saw it in different states."""
        return len({answer.state for answer in self.answers} - {NOT_COVERED}) > 1


class PastOfVantages(Past, Vantages, Protocol):
    """The gateway that knows the vantages, too."""


def list_vantages(past: PastOfVantages) -> list[str]:
    """The vantages that have looks or may have some: the stack itself first, then by name."""
    in_use = {vantage.name for vantage in past.vantages() if vantage.removed_at is None}
    others = sorted((in_use | set(past.history_vantages())) - {DEFAULT_VANTAGE})
    return [DEFAULT_VANTAGE, *others]


def find_reach(
    past: Past,
    address: str,
    moment: datetime,
    vantages: Sequence[str],
    *,
    keys: Collection[PortKey] = (),
    stale: timedelta | None = None,
) -> list[PortReach]:
    """The ports of an address at the moment, in order, by the newest look of each vantage.

    `keys`: these ports, covered or not; none: those that are open from at least one vantage.
    """
    records = [record for vantage in vantages for record in _read_host(past, address, vantage)]
    asked = set(keys) or {port.key for record in records for port in record.ports}
    columns = [find_answers(past, address, asked, moment, vantage=vantage, stale=stale) for vantage in vantages]
    hostname = next((record.hostname for record in records if record.hostname), "")
    rows = [PortReach(address, answers[0].key, tuple(answers), hostname) for answers in zip(*columns, strict=True)]
    return rows if keys else [row for row in rows if row.is_open]


def find_addresses(past: Past, name: str, vantages: Sequence[str]) -> list[str]:
    """The addresses in the inventory that have the name, as seen from any of the vantages, in order."""
    everything = InventoryQuery(was_open=True)
    addresses = {
        host.address
        for vantage in vantages
        for host in past.hosts(everything, vantage=vantage)
        if host.hostname.lower() == name.lower()
    }
    return sorted(addresses, key=order_address)


def _read_host(past: Past, address: str, vantage: str) -> Iterator[HostRecord]:
    parsed = parse_address(address)
    number = int(parsed)
    query = InventoryQuery(networks=((parsed.version, number, number),), was_open=True)
    yield from past.hosts(query, vantage=vantage)
