"""The value of --spoof-mac.

It is 0 for a random address, the beginning of an address, or a part of a vendor's name.
nmap accepts a vendor that its own list has. Where that list is not available, the vendor is not
checked.
"""

from __future__ import annotations

from cascan.nmap.nmap_data import read_vendors
from cascan.patterns import compile_pattern

ADDRESS = r"[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){0,5}"
PAIRS = r"(:?[0-9A-Fa-f]{2})*:?"  # read as an address by nmap, even if it is too long
VENDOR = r"[A-Za-z0-9][A-Za-z0-9 .&-]{1,40}"
MAX_ADDRESS_BYTES = 6
HINT = "0, hexadecimal digits, or a vendor in nmap's list"


def check_mac(value: str) -> str:
    """The value, unchanged.

    Raises: ValueError: neither an address nor a vendor that nmap knows; says what to write.
    """
    if value == "0" or compile_pattern(ADDRESS).fullmatch(value):
        return value
    if not compile_pattern(VENDOR).fullmatch(value) or nmap_refuses_mac(value):
        raise ValueError(HINT)
    return value


def nmap_refuses_mac(value: str) -> bool:
    """Whether nmap would not start with this value of --spoof-mac."""
    if value == "0":
        return False
    if compile_pattern(PAIRS).fullmatch(value):
        return len(value.replace(":", "")) > MAX_ADDRESS_BYTES * 2
    vendors = read_vendors()
    return vendors is not None and value.lower() not in vendors


def is_unchecked_vendor(value: str) -> bool:
    """Whether the value names a vendor, and nmap's list to check it is not available."""
    return value != "0" and not compile_pattern(PAIRS).fullmatch(value) and read_vendors() is None
