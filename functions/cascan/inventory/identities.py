"""A host in a report → its identity, where the scan or the host's network asks for one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from typing import Self

from cascan.model.host import Host
from cascan.model.identity import IdentityKind, NetworkIdentity
from cascan.nmap.addresses import parse_address

MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
NAME = re.compile(r"[a-z0-9_](?:[a-z0-9._-]{0,251}[a-z0-9_])?")
NO_HARDWARE = "00:00:00:00:00:00"
GROUP_BIT = 1  # of the first byte: a multicast address, which no host has for its own
WHOLE = 0  # the bits of the prefix of a network that has every address


class IdentityRules:
    """How the hosts of a scan are known."""

    def __init__(self, networks: Iterable[tuple[int, int, int, int, IdentityKind]] = ()) -> None:
        """`networks`: family, bits of the prefix, lowest and highest address, kind."""
        by_bits = sorted(networks, key=lambda network: network[1], reverse=True)
        self._networks = tuple(by_bits)  # the narrowest first

    @classmethod
    def from_scan(cls, identity: IdentityKind | None, networks: Iterable[NetworkIdentity]) -> Self:
        """`identity`: of the scan's request, which applies to all of its addresses.

        Without it, each address has that of its narrowest network.
        """
        if identity is not None:
            families = ((4, (1 << 32) - 1), (6, (1 << 128) - 1))
            return cls((family, WHOLE, 0, highest, identity) for family, highest in families)
        parsed = ((ip_network(rule.network), rule.identity) for rule in networks)
        return cls(
            (network.version, network.prefixlen, int(network[0]), int(network[-1]), kind) for network, kind in parsed
        )

    def find_kind(self, address: str) -> IdentityKind:
        """How the host at the address is known. Raises: ValueError: it is not an address."""
        if not self._networks:
            return IdentityKind.ADDRESS
        parsed = parse_address(address)
        number, version = int(parsed), parsed.version
        for family, _, low, high, kind in self._networks:
            if family == version and low <= number <= high:
                return kind
        return IdentityKind.ADDRESS

    def find_identity(self, host: Host, address: str, names: Mapping[str, str]) -> str | None:
        """The host's identity. Empty: the report does not have it. None: it is known by its address."""
        match self.find_kind(address):
            case IdentityKind.MAC:
                return _find_mac(host)
            case IdentityKind.NAME:
                return _find_name(host, names)
            case _:
                return None

    def is_tracked(self, address: str) -> bool:
        """Whether the host at the address is known by something other than its address."""
        return self.find_kind(address) in (IdentityKind.MAC, IdentityKind.NAME)


def parse_identity(text: str) -> str:
    """An identity as a person writes it, with or without its kind. Empty: it is none.

    `52:54:00:12:34:56` → `mac:52:54:00:12:34:56`, `DB.example.` → `name:db.example`.
    """
    kind, colon, value = text.lower().partition(":")
    match kind if colon else "":
        case "mac":
            return _to_mac(value)
        case "name":
            return _to_name(value)
        case _:
            return _to_mac(text) or _to_name(text)


def _find_mac(host: Host) -> str:
    return _to_mac(host.mac)


def _find_name(host: Host, names: Mapping[str, str]) -> str:
    return _to_name(host.find_name(names))


def _to_mac(text: str) -> str:
    mac = text.lower()
    if not MAC.fullmatch(mac) or mac == NO_HARDWARE or int(mac[:2], 16) & GROUP_BIT:
        return ""
    return f"mac:{mac}"


def _to_name(text: str) -> str:
    name = text.lower().removesuffix(".")
    return f"name:{name}" if NAME.fullmatch(name) else ""
