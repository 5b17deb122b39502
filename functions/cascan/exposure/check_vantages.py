"""Every port that was open or is required, seen from every vantage → what the file says of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from datetime import datetime
from ipaddress import ip_address
from typing import Protocol

from msgspec.structs import replace

from cascan.exposure.asked_ports import AskedPorts, HostPort, KnownHost, list_asked_ports
from cascan.exposure.check import ANY_VANTAGE, CheckedPort, PortLooks, SeenState, check_port
from cascan.exposure.expectations import ExpectationIndex
from cascan.model.inventory import PortKey


class LooksSource(Protocol):
    """Where looks come from: the stored history, or reports."""

    def list_hosts(self, vantage: str) -> Iterable[KnownHost]:
        """Every host that the vantage has seen up."""

    def find_states(
        self, vantage: str, asked: AskedPorts, service_ports: Set[HostPort], at: datetime
    ) -> Mapping[HostPort, tuple[SeenState, ...]]:
        """The states of the ports as `select_states` selects them."""


def check_vantages(
    expectations: ExpectationIndex,
    source: LooksSource,
    vantages: Iterable[str],
    at: datetime,
    *,
    has_current_looks: bool = False,
) -> list[CheckedPort]:
    """In order of vantage, address and port. `has_current_looks`: as in `check_port`."""
    checked: list[CheckedPort] = []
    covered: set[HostPort] = set()
    uncovered: dict[HostPort, CheckedPort] = {}
    known_names: set[str] = set()
    unknown_names: dict[tuple[str, PortKey], list[CheckedPort]] = {}
    for vantage in vantages:
        asked = list_asked_ports(expectations.file, vantage, source.list_hosts(vantage))
        known_names.update(name for names in asked.names.values() for name in names)
        states = source.find_states(vantage, asked, asked.find_service_ports(expectations), at)
        for port in _list_looks(vantage, asked, states):
            result = check_port(expectations, port, at, has_current_looks=has_current_looks)
            endpoint = port.address, port.key
            if result.is_covered:
                covered.add(endpoint)
            if result.is_covered or endpoint not in asked.anywhere:
                checked.append(result)
            else:
                uncovered[endpoint] = result
        for name, keys in asked.unknown_names.items():
            for key in keys:
                missing = PortLooks(vantage=vantage, address="", key=key, names=(name,))
                result = check_port(expectations, missing, at)
                unknown_names.setdefault((name, key), []).append(result)
    checked += (_from_anywhere(result) for endpoint, result in uncovered.items() if endpoint not in covered)
    checked += _select_unknown_names(unknown_names, known_names)
    return sorted(checked, key=_to_order)


def _list_looks(
    vantage: str, asked: AskedPorts, states: Mapping[HostPort, tuple[SeenState, ...]]
) -> Iterator[PortLooks]:
    for address, keys in asked.ports.items():
        for key in keys:
            yield PortLooks(
                vantage=vantage,
                address=address,
                key=key,
                names=asked.names.get(address, ()),
                states=states.get((address, key), ()),
                was_open=(address, key) in asked.opened,
            )


def _select_unknown_names(
    results: Mapping[tuple[str, PortKey], list[CheckedPort]], known_names: Set[str]
) -> Iterator[CheckedPort]:
    """Ports of names that no scan asked for. Where an entry names the vantage, one for each."""
    for (name, _), of_vantages in results.items():
        named = [result for result in of_vantages if result.verdict.entry and result.verdict.entry.vantages]
        yield from named
        if not named and name not in known_names:
            yield _from_anywhere(of_vantages[0])


def _from_anywhere(result: CheckedPort) -> CheckedPort:
    return replace(result, vantage=ANY_VANTAGE)


def _to_order(result: CheckedPort) -> tuple[str, int, int, str, PortKey]:
    if not result.address:
        return result.vantage, 0, 0, result.name, result.key
    number = ip_address(result.address)
    return result.vantage, number.version, int(number), "", result.key
