"""The listeners of a server → the ports to ask of each of its addresses.

`*` means every IPv4 and IPv6 address of the server, `0.0.0.0` its IPv4 addresses, `[::]` its IPv6
addresses. A loopback address is asked only of a server that Vuls scans without logging in: seen from
elsewhere, it is another machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from cascan.nmap.addresses import parse_address
from cascan.nmap.targets.kinds import IPV4, IPV6
from cascan.vuls.results import Listener, ListenerId, VulsResults

Destinations = Mapping[str, frozenset[int]]  # address in its usual spelling → ports
FAMILIES: Mapping[str, tuple[int, ...]] = {"*": (IPV4, IPV6), "0.0.0.0": (IPV4,), "[::]": (IPV6,), "::": (IPV6,)}  # noqa: S104 - no socket


class Place(NamedTuple):
    """An address on which a listener can be asked."""

    address: str  # in its usual spelling
    written: str  # as portReachableTo names it: IPv6 in brackets


class ServerPlaces(NamedTuple):
    """Where each listener of a server can be asked, and what is to be said of the others."""

    places: Mapping[ListenerId, tuple[Place, ...]]  # no place: only loopback
    skipped: Mapping[ListenerId, str]  # why they cannot be asked at all

    def destinations(self, listeners: Iterable[Listener]) -> Destinations:
        ports: dict[str, set[int]] = {}
        for listener in listeners:
            for place in self.places.get(listener.where, ()):
                ports.setdefault(place.address, set()).add(listener.port)
        return {address: frozenset(numbers) for address, numbers in ports.items()}


def find_places(results: VulsResults, *, is_local: bool) -> ServerPlaces:
    """`is_local`: Vuls scans the server without logging in, so it is the machine that asks."""
    asks_loopback = is_local and not results.container  # a container has a loopback of its own
    own = {
        IPV4: _parse_addresses(results.ipv4, IPV4, with_loopback=asks_loopback),
        IPV6: _parse_addresses(results.ipv6, IPV6, with_loopback=asks_loopback),
    }
    places: dict[ListenerId, tuple[Place, ...]] = {}
    skipped: dict[ListenerId, str] = {}
    for listener in results.listeners:
        if families := FAMILIES.get(listener.bind):
            addresses = [address for family in families for address in own[family]]
            if addresses:
                places[listener.where] = tuple(dict.fromkeys(map(_to_place, addresses)))
            else:
                kind = " or ".join(f"IPv{family}" for family in families)
                skipped[listener.where] = f"{listener.endpoint}: the results name no {kind} address of the server"
            continue
        address = _parse_bind(listener.bind)
        if address is None:
            skipped[listener.where] = f"{listener.endpoint}: {listener.bind!r} is not an address"
        elif address.is_loopback and not asks_loopback:
            places[listener.where] = ()
        else:
            places[listener.where] = (Place(str(_unmap(address)), listener.bind),)
    return ServerPlaces(places, skipped)


def _parse_addresses(texts: Iterable[str], family: int, *, with_loopback: bool) -> list[IPv4Address | IPv6Address]:
    """The valid addresses of the family. One with a zone is left out: only its neighbours reach it."""
    parsed = (_parse_bind(text) for text in texts)
    valid = (address for address in parsed if address is not None and address.version == family)
    return [address for address in valid if with_loopback or not address.is_loopback]


def _parse_bind(text: str) -> IPv4Address | IPv6Address | None:
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if "%" in inner:
        return None
    try:
        return parse_address(inner)
    except ValueError:
        return None


def _unmap(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """`::ffff:10.0.0.5` is 10.0.0.5: packets for it are IPv4."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _to_place(address: IPv4Address | IPv6Address) -> Place:
    return Place(str(address), f"[{address}]" if address.version == IPV6 else str(address))
