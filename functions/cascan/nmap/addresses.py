"""Text → address, remembered: a host's address is asked about some eight times while its report is recorded."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

REMEMBERED = 1_024  # addresses; a report's hosts are worked on by the dozen


@lru_cache(maxsize=REMEMBERED)
def parse_address(text: str) -> IPv4Address | IPv6Address:
    """The address. Raises: ValueError: the text is none."""
    return ip_address(text)
