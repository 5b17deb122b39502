"""Special-purpose address blocks and IPv6 blocks that embed IPv4: one table for all decisions about addresses.

Source: the IANA special-purpose address registries for IPv4 and IPv6, the RFCs named beside the rows, and the clouds'
own documentation for their metadata services. The most specific block that holds an address decides on it, except that
a block which is never scanned wins over all others.
"""

from __future__ import annotations

from enum import Enum, auto
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import NamedTuple

from cascan.nmap.addresses import parse_address
from cascan.nmap.intervals import Interval, merge_intervals, subtract_intervals

IPV4, IPV6 = 4, 6
LOW_32_BITS = 0xFFFFFFFF
MULTICAST6 = 0xFF << 120
ISATAP = (0x00005EFE, 0x02005EFE)  # the third quarter of an IPv6 address, whatever its prefix: RFC 5214


class Use(Enum):
    """How cascan treats the addresses of a block."""

    PUBLIC = auto()  # reachable from anywhere, like an address in no block
    LOCAL = auto()  # an allowed network covers it; an allowed domain does not
    NEVER = auto()  # not scanned, whatever is allowed
    EMBEDS = auto()  # holds an IPv4 address, which decides in its place
    HIDES = auto()  # holds one that cannot be read from it: never scanned


class Block(NamedTuple):
    family: int
    low: int
    high: int
    text: str
    purpose: str
    use: Use
    shift: int = 0  # of EMBEDS: bits to the right of the IPv4 address

    @property
    def bits(self) -> int:
        """The length of the prefix."""
        return (32 if self.family == IPV4 else 128) - (self.high - self.low).bit_length()


class EffectiveAddress(NamedTuple):
    """The address that decides about another one: the IPv4 address that it embeds, else itself."""

    family: int
    number: int
    embedded_in: Block | None = None

    @property
    def text(self) -> str:
        return str(IPv4Address(self.number) if self.family == IPV4 else IPv6Address(self.number))


class HiddenIPv4(ValueError):
    """The address holds an IPv4 address that cannot be read from it."""


ROWS: tuple[tuple[str, str, Use], ...] = (
    ("0.0.0.0/8", "this host", Use.NEVER),  # a connection to 0.0.0.0 reaches the worker itself
    ("10.0.0.0/8", "private use", Use.LOCAL),
    ("100.64.0.0/10", "shared address space", Use.LOCAL),
    ("100.100.100.200/32", "cloud metadata", Use.NEVER),
    ("127.0.0.0/8", "loopback", Use.LOCAL),
    ("168.63.129.16/32", "cloud metadata", Use.NEVER),
    ("169.254.0.0/16", "link-local: cloud metadata and task credentials", Use.NEVER),
    ("172.16.0.0/12", "private use", Use.LOCAL),
    ("192.0.0.0/24", "IETF protocol assignments", Use.LOCAL),
    ("192.0.0.9/32", "port control protocol anycast", Use.PUBLIC),
    ("192.0.0.10/32", "TURN anycast", Use.PUBLIC),
    ("192.0.0.192/32", "cloud metadata", Use.NEVER),
    ("192.0.2.0/24", "documentation", Use.LOCAL),
    ("192.88.99.0/24", "6to4 relay anycast, deprecated", Use.LOCAL),
    ("192.168.0.0/16", "private use", Use.LOCAL),
    ("198.18.0.0/15", "benchmarking", Use.LOCAL),
    ("198.51.100.0/24", "documentation", Use.LOCAL),
    ("203.0.113.0/24", "documentation", Use.LOCAL),
    ("224.0.0.0/4", "multicast", Use.NEVER),
    ("240.0.0.0/4", "reserved and broadcast", Use.NEVER),
    ("::/128", "this host", Use.NEVER),
    ("::1/128", "loopback", Use.LOCAL),
    ("::/96", "IPv4-compatible addresses, deprecated", Use.EMBEDS),
    ("::ffff:0:0/96", "IPv4-mapped addresses", Use.EMBEDS),
    ("::ffff:0:0:0/96", "IPv4-translated addresses (SIIT)", Use.EMBEDS),  # RFC 2765
    ("64:ff9b::/96", "NAT64", Use.EMBEDS),
    ("64:ff9b:1::/48", "NAT64 of a network's own layout", Use.HIDES),
    ("100::/64", "discard-only", Use.LOCAL),
    ("100:0:0:1::/64", "dummy prefix", Use.LOCAL),
    ("2000::/3", "global unicast", Use.PUBLIC),  # all else of IPv6 is not assigned, or special
    ("2001::/23", "IETF protocol assignments", Use.LOCAL),
    ("2001::/32", "Teredo", Use.HIDES),  # two IPv4 addresses, one of them inverted
    ("2001:1::1/128", "port control protocol anycast", Use.PUBLIC),
    ("2001:1::2/128", "TURN anycast", Use.PUBLIC),
    ("2001:1::3/128", "DNS-SD service registration anycast", Use.PUBLIC),
    ("2001:2::/48", "benchmarking", Use.LOCAL),
    ("2001:3::/32", "AMT", Use.PUBLIC),
    ("2001:4:112::/48", "AS112", Use.PUBLIC),
    ("2001:10::/28", "ORCHID, deprecated", Use.LOCAL),
    ("2001:20::/28", "ORCHIDv2: identifiers, no addresses", Use.LOCAL),
    ("2001:30::/28", "drone remote identification: identifiers, no addresses", Use.LOCAL),
    ("2001:db8::/32", "documentation", Use.LOCAL),
    ("2002::/16", "6to4", Use.EMBEDS),
    ("3fff::/20", "documentation", Use.LOCAL),
    ("5f00::/16", "segment routing identifiers", Use.LOCAL),
    ("fc00::/7", "unique local", Use.LOCAL),
    ("fd00:ec2::/32", "cloud metadata and task credentials", Use.NEVER),
    ("fd20:ce::254/128", "cloud metadata", Use.NEVER),
    ("fe80::/10", "link-local", Use.NEVER),
    ("fec0::/10", "site-local, deprecated", Use.LOCAL),  # RFC 3879
    ("ff00::/8", "multicast", Use.NEVER),
)
SHIFTS = {"2002::/16": 80}  # elsewhere the IPv4 address is at the end
ISATAP_BLOCK = Block(IPV6, 0, 0, "::5efe:0:0", "ISATAP", Use.EMBEDS)


@cache
def special_blocks() -> tuple[Block, ...]:
    """The table, the most specific blocks first."""
    blocks = []
    for text, purpose, use in ROWS:
        network = ip_network(text)
        low, high = int(network.network_address), int(network.broadcast_address)
        blocks.append(Block(network.version, low, high, text, purpose, use, SHIFTS.get(text, 0)))
    return tuple(sorted(blocks, key=lambda block: -block.bits))


@cache
def find_blocks(*uses: Use) -> tuple[Block, ...]:
    return tuple(block for block in special_blocks() if block.use in uses)


@cache
def list_public_ipv4() -> tuple[Interval, ...]:
    """The IPv4 addresses of the public Internet, in order and disjoint."""
    reserved = merge_intervals(_list_spans(IPV4, Use.LOCAL, Use.NEVER, Use.EMBEDS, Use.HIDES))
    exceptions = _list_spans(IPV4, Use.PUBLIC)
    return merge_intervals([*subtract_intervals(((0, LOW_32_BITS),), reserved), *exceptions])


def _list_spans(family: int, *uses: Use) -> tuple[Interval, ...]:
    return tuple((block.low, block.high) for block in find_blocks(*uses) if block.family == family)


def to_effective_address(address: str) -> EffectiveAddress:
    """The address that decides about the address in the text, whose zone is ignored.

    Raises: ValueError: not an address. HiddenIPv4, which is a ValueError: the IPv4 address in it cannot be read.
    """
    value = parse_address(address.partition("%")[0])
    return to_effective_number(value.version, int(value))


def to_effective_number(family: int, number: int) -> EffectiveAddress:
    """As to_effective_address, of a number. Raises: HiddenIPv4."""
    block = find_block(family, number)
    if block and block.use is Use.HIDES:
        raise HiddenIPv4(f"{block.text}, {block.purpose}, hides an IPv4 address")
    if block and block.use is Use.EMBEDS:
        return EffectiveAddress(IPV4, number >> block.shift & LOW_32_BITS, block)
    if is_isatap(family, number):
        return EffectiveAddress(IPV4, number & LOW_32_BITS, ISATAP_BLOCK)
    return EffectiveAddress(family, number)


def is_isatap(family: int, number: int) -> bool:
    """Whether the interface's part of an IPv6 address is an IPv4 address of ISATAP. Its prefix is judged as well."""
    return family == IPV6 and number >> 32 & LOW_32_BITS in ISATAP and number < MULTICAST6


def find_block(family: int, number: int) -> Block | None:
    """The most specific block that holds the address."""
    candidates = (block for block in special_blocks() if block.family == family)
    return next((block for block in candidates if block.low <= number <= block.high), None)


def find_never_scanned_purpose(family: int, number: int) -> str:
    """The purpose of an address that is never scanned. Empty: it may be scanned, if it is allowed."""
    never = find_blocks(Use.NEVER)
    candidates = (block for block in never if block.family == family)
    return next((block.purpose for block in candidates if block.low <= number <= block.high), "")


def is_public(family: int, number: int) -> bool:
    """Whether the address belongs to the public Internet. Raises: HiddenIPv4: that is unknown."""
    effective = to_effective_number(family, number)
    is_prefix_public = effective.embedded_in is not ISATAP_BLOCK or _is_public(family, number)
    return is_prefix_public and _is_public(effective.family, effective.number)


def _is_public(family: int, number: int) -> bool:
    block = find_block(family, number)
    return family == IPV4 if block is None else block.use is Use.PUBLIC
