"""The order of findings: by the address of their host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address
from itertools import groupby
from urllib.parse import quote

from cascan.model.finding import Finding, HostFindings
from cascan.model.inventory import PortKey
from cascan.nmap.addresses import parse_address

HEX_DIGITS = {4: 8, 6: 32}  # by family: of an address
NO_ADDRESS = "~"  # sorts after every family
MAX_TEXT_CHARS = 64  # of a text that is not an address


def address_key(address: str) -> str:
    """A text without slashes that sorts as addresses do: `4.0a000005`.

    IPv4 comes first, then IPv6, then everything that is not an address.
    """
    try:
        number = parse_address(address)
    except ValueError:
        return NO_ADDRESS + _escape(address)
    return f"{number.version}.{int(number):0{HEX_DIGITS[number.version]}x}"


def read_address_key(key: str) -> str:
    """The address of which this is the key; empty for another text."""
    version, _, digits = key.partition(".")
    if version not in ("4", "6"):
        return ""
    number = int(digits, 16)
    return str(IPv4Address(number) if version == "4" else IPv6Address(number))


def find_address(finding: Finding) -> str:
    """The address of the finding's host; its MAC address or empty, if it has none."""
    addresses = finding.attributes.get("ip_addresses")
    if isinstance(addresses, list) and addresses:
        return str(addresses[0])
    return str(finding.attributes.get("mac_address") or "")


def find_port_key(finding: Finding) -> PortKey | None:
    """Protocol and number of the finding's port; -1 for one that is not a number. None: it is about the host."""
    protocol, port = finding.attributes.get("protocol"), finding.attributes.get("port")
    if port is None or not protocol:
        return None
    return str(protocol), port if isinstance(port, int) else -1


def group_by_host(findings: Iterable[Finding]) -> Iterator[HostFindings]:
    """The findings of each host. Those of one host have to follow each other."""
    for address, group in groupby(findings, key=find_address):
        yield HostFindings(address, list(group))


def _escape(text: str) -> str:
    """Distinct for distinct texts. `text` may be of any length and have any character."""
    escaped = quote(text, safe="", errors="surrogatepass")
    if len(escaped) <= MAX_TEXT_CHARS:
        return escaped
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{escaped[:MAX_TEXT_CHARS]}.{digest[:16]}"
