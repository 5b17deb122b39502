"""Which ports of which hosts a check asks about: those that were open, and those that are required."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import msgspec

from cascan.exposure.expectations import ExpectationIndex, ExpectedExposure, ExposureFile, normalize_name
from cascan.model.inventory import PortKey

HostPort = tuple[str, PortKey]  # an address and its port


class KnownHost(msgspec.Struct, frozen=True, kw_only=True):
    """A host that some look has seen up."""

    address: str
    names: tuple[str, ...] = ()  # under which it was scanned
    is_up: bool = True
    opened: frozenset[PortKey] = frozenset()  # the ports that were open at some time


class AskedPorts(msgspec.Struct, frozen=True):
    """What to look up for one vantage."""

    ports: dict[str, set[PortKey]]  # by address
    opened: set[HostPort]
    names: dict[str, tuple[str, ...]]  # by address
    # Required from any vantage: this one need not have covered them
    anywhere: set[HostPort]
    # By name, the required ports of names under which no host was scanned
    unknown_names: dict[str, set[PortKey]]

    def find_service_ports(self, expectations: ExpectationIndex) -> set[HostPort]:
        """The ports whose service some entry expects."""
        found: set[HostPort] = set()
        for address, keys in self.ports.items():
            holding = expectations.find_entries(address, self.names.get(address, ()))
            with_service = [held.entry for held in holding if held.entry.service]
            found.update((address, key) for key in keys for entry in with_service if entry.includes_port(key))
        return found


def list_asked_ports(file: ExposureFile, vantage: str, hosts: Iterable[KnownHost]) -> AskedPorts:
    """`hosts`: all that the vantage has seen."""
    ports: defaultdict[str, set[PortKey]] = defaultdict(set)
    by_name: defaultdict[str, list[str]] = defaultdict(list)
    by_former_name: defaultdict[str, list[str]] = defaultdict(list)
    names: dict[str, tuple[str, ...]] = {}
    for host in hosts:
        ports[host.address] |= host.opened
        names[host.address] = host.names
        for name in host.names:
            addresses = by_name if host.is_up else by_former_name
            addresses[normalize_name(name)].append(host.address)
    # An address that is gone stands for its name only where no other one does
    by_name = by_former_name | by_name
    opened = {(address, key) for address, keys in ports.items() for key in keys}
    anywhere: set[HostPort] = set()
    from_vantage: set[HostPort] = set()  # required by an entry that names the vantage
    unknown_names: defaultdict[str, set[PortKey]] = defaultdict(set)
    for entry in file.entries:
        if not (entry.required and entry.includes_vantage(vantage)):
            continue
        keys = [key for group in entry.ports for key in group.keys]
        for address in _list_addresses(entry, by_name):
            (from_vantage if entry.vantages else anywhere).update((address, key) for key in keys)
            ports[address].update(keys)
        for name in entry.hosts.names:
            if name not in by_name:
                unknown_names[name].update(keys)
    asked = {address: keys for address, keys in ports.items() if keys}
    return AskedPorts(asked, opened, names, anywhere - from_vantage - opened, dict(unknown_names))


def _list_addresses(entry: ExpectedExposure, by_name: dict[str, list[str]]) -> Iterator[str]:
    for member in entry.hosts.ranges:
        yield from member.addresses()
    for name in entry.hosts.names:
        yield from by_name.get(name, ())


def list_vantages(file: ExposureFile, seen: Iterable[str]) -> list[str]:
    """The vantages to check, in order: those that have looks, and those that entries name."""
    return sorted({*seen, *(vantage for entry in file.entries for vantage in entry.vantages)})
