"""Open ports as targets with ports of their own, one host a line: `cascan scan -` reads them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import groupby

SUFFIXES = {"tcp": "", "udp": "/udp", "sctp": "/sctp"}  # the protocols that targets may name
PROTOCOLS = tuple(sorted(SUFFIXES))
# A port of an address is a number of 64 bits in an array, since there may be a million: the last bits of
# the address by its family, the port and the protocol.
BUCKET_BITS = {4: 12, 6: 46}
PORT_BITS, PROTOCOL_BITS = 16, 2
MAX_PORT, MAX_PROTOCOL = (1 << PORT_BITS) - 1, (1 << PROTOCOL_BITS) - 1
IPV4 = 4
MAX_LINE_CHARS = 1_000  # within the limit of one target; the ports that follow get a further line
OpenPort = tuple[str, str, int]  # address, protocol, port


def format_targets(ports: Iterable[OpenPort]) -> Iterator[str]:
    """A line for each address, in order: `10.0.0.5:22,53/udp`, `[2001:db8::5]:443`."""
    buckets: dict[tuple[int, int, str], array[int]] = {}
    for address, protocol, port in ports:
        if protocol in SUFFIXES and port:
            bucket, number = _split_address(address)
            key = (number << PORT_BITS | port) << PROTOCOL_BITS | PROTOCOLS.index(protocol)
            buckets.setdefault(bucket, array("Q")).append(key)
    for bucket in sorted(buckets):
        numbers = sorted(set(buckets.pop(bucket)))
        for number, of_address in groupby(numbers, key=lambda key: key >> PORT_BITS + PROTOCOL_BITS):
            keys = ((PROTOCOLS[key & MAX_PROTOCOL], key >> PROTOCOL_BITS & MAX_PORT) for key in of_address)
            yield from _join_ports(_to_host(bucket, number), keys)


def _split_address(address: str) -> tuple[tuple[int, int, str], int]:
    """The address's bucket, and its number there. Buckets and numbers have the order of addresses."""
    text, _, zone = address.partition("%")
    parsed = ip_address(text)
    prefix, number = divmod(int(parsed), 1 << BUCKET_BITS[parsed.version])
    return (parsed.version, prefix, zone), number


def _to_host(bucket: tuple[int, int, str], number: int) -> str:
    version, prefix, zone = bucket
    value = prefix << BUCKET_BITS[version] | number
    if version == IPV4:
        return str(IPv4Address(value))
    return f"[{IPv6Address(value)}{'%' if zone else ''}{zone}]"


def _join_ports(host: str, keys: Iterable[tuple[str, int]]) -> Iterator[str]:
    line = ""
    for protocol, port in keys:
        text = f"{port}{SUFFIXES[protocol]}"
        if line and len(line) + len(text) < MAX_LINE_CHARS:
            line = f"{line},{text}"
        else:
            if line:
                yield line
            line = f"{host}:{text}"
    yield line
