"""Text → address, cached: a host's address is parsed some eight times while its report is recorded."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

NETWORK_BITS = 8  # addresses that share all but these bits are read from the table together
MAX_CACHED = 1_024  # addresses; a report's hosts are worked on by the dozen


@lru_cache(maxsize=MAX_CACHED)
def parse_address(text: str) -> IPv4Address | IPv6Address:
    """The address. Raises: ValueError: the text is not one."""
    return ip_address(text)


def is_address(text: str) -> bool:
    try:
        parse_address(text)
    except ValueError:
        return False
    return True


def order_address(text: str) -> tuple[int, int]:
    """Family and number: sorts addresses of both families. Raises: ValueError: the text is no address."""
    address = parse_address(text)
    return address.version, int(address)


def find_network(text: str) -> tuple[int, int]:
    """Family and number of the address's /24 or /120. Raises: ValueError: the text is no address."""
    family, number = order_address(text)
    return family, number >> NETWORK_BITS


def is_loopback(text: str) -> bool:
    """Whether the text is a loopback address; any other text is not."""
    try:
        return parse_address(text).is_loopback
    except ValueError:
        return False
