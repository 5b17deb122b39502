"""Open ports as targets with ports of their own, one host a line: `cascan scan -` reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address

SUFFIXES = {"tcp": "", "udp": "/udp", "sctp": "/sctp"}  # the protocols that targets may name
MAX_LINE_CHARS = 1_000  # within the limit of one target; the ports that follow get a further line
OpenPort = tuple[str, str, int]  # address, protocol, port


def format_targets(ports: Iterable[OpenPort]) -> Iterator[str]:
    """A line for each address, in order: `10.0.0.5:22,53/udp`, `[2001:db8::5]:443`."""
    by_address: dict[str, set[tuple[str, int]]] = {}
    for address, protocol, port in ports:
        if protocol in SUFFIXES and port:
            by_address.setdefault(address, set()).add((protocol, port))
    for address in sorted(by_address, key=_sort_key):
        host = f"[{address}]" if ":" in address else address
        yield from _join_ports(host, sorted(by_address[address], key=lambda key: (key[1], key[0])))


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


def _sort_key(address: str) -> tuple[int, int, str]:
    parsed = ip_address(address.partition("%")[0])
    return parsed.version, int(parsed), address
