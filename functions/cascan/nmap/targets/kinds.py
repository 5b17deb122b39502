"""The kinds of target: octet ranges of IPv4, an IPv6 network, a name."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

import msgspec

from cascan.errors import RequestRefused
from cascan.model.refusal import Rule
from cascan.nmap.targets.octets import Octets, apply_mask, split_octets

IPV4, IPV6 = 4, 6  # address families


class Network6(msgspec.Struct, frozen=True):
    """IPv6: one address, or the block that a mask makes of it.

    A link-local address may have a zone.
    """

    expression: str
    first: int
    count: int
    zone: str = ""

    def addresses(self, start: int = 0, stop: int | None = None) -> Iterator[str]:
        """The addresses from number `start` up to, but not including, number `stop`."""
        zone = f"%{self.zone}" if self.zone else ""
        end = self.count if stop is None else min(stop, self.count)
        for index in range(start, end):
            yield f"{IPv6Address(self.first + index)}{zone}"

    def rank(self, address: int) -> int:
        """How many of the addresses are lower."""
        return min(max(address - self.first, 0), self.count)

    def intervals(self) -> Iterator[tuple[int, int]]:
        yield self.bounds

    @property
    def stretches(self) -> int:
        return 1

    @property
    def bounds(self) -> tuple[int, int]:
        return self.first, self.first + self.count - 1


class Name(msgspec.Struct, frozen=True):
    """A host name, which the worker resolves.

    A mask stands for the block around the name's address.
    """

    expression: str
    name: str
    family: int
    bits: int | None = None

    @property
    def count(self) -> int:
        return 1 if self.bits is None else 1 << (self.width - self.bits)

    @property
    def width(self) -> int:
        """Bits of an address of the family."""
        return 32 if self.family == IPV4 else 128

    def pin(self, address: str) -> Octets | Network6:
        """An address of the name, with the name's mask applied.

        Raises: RequestRefused: it is not an address of the name's family.
        """
        suffix = "" if self.bits is None else f"/{self.bits}"
        without_zone, _, zone = address.partition("%")
        try:
            number = int(IPv4Address(address) if self.family == IPV4 else IPv6Address(without_zone))
        except ValueError as exc:
            reason = f"{address!r} is not an IPv{self.family} address of {self.name}"
            raise RequestRefused([reason], Rule.TARGET_SYNTAX) from exc
        bits = self.width if self.bits is None else self.bits
        if self.family == IPV4:
            return Octets(address + suffix, apply_mask(split_octets(number), bits))
        return build_network6(address + suffix, number, bits, zone)


Target = Octets | Network6 | Name


def build_network6(expression: str, number: int, bits: int, zone: str) -> Network6:
    """The block of `bits` around an address; host bits are ignored, as nmap ignores them."""
    size = 1 << (128 - bits)
    return Network6(expression, number & -size, size, zone)


def parse_ipv6(text: str) -> int | None:
    """The number of an IPv6 address in text, without a zone; None: it is not one."""
    import socket  # noqa: PLC0415 - slow to import, and IPv4 targets do not need it

    try:
        return int.from_bytes(socket.inet_pton(socket.AF_INET6, text), "big")
    except (OSError, ValueError):
        return None
