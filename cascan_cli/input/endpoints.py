"""A port of a host on the command line: `10.0.0.5:22`, `[2001:db8::5]:53/udp`; or the host alone.

A host that may move is named by its identity: `52:54:00:12:34:56:22`, `db.example:22`.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import NamedTuple

from cascan_cli.errors import BadInput

ENDPOINT = re.compile(
    r"(?:\[(?P<bracketed>[^\]]+)\]|(?P<plain>[^:/\[\]]+))"
    r":(?P<port>[0-9]{1,5})(?:/(?P<protocol>tcp|udp|sctp|ip))?"
)
PORT = r"(?::(?P<port>[0-9]{1,5})(?:/(?P<protocol>tcp|udp|sctp|ip))?)?"
MAC_ADDRESS = r"(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}"
IDENTITY = re.compile(rf"(?P<identity>(?:mac:)?{MAC_ADDRESS}|(?:name:)?[^:/\[\]]+){PORT}", re.ASCII)
NUMERIC = re.compile(r"[0-9.]+", re.ASCII)  # a mistyped address rather than a name
FORMS = "an address such as 10.0.0.5, or with a port: 10.0.0.5:22, 10.0.0.5:53/udp, [2001:db8::5]:22"
IDENTITY_FORMS = "or, for a host that may move, its MAC address or name: 52:54:00:12:34:56, db.example:22"
MAX_PORT = 65_535


class Endpoint(NamedTuple):
    address: str  # or an identity, where one is allowed
    key: tuple[str, int] | None  # protocol and number; None: the host

    @property
    def has_identity(self) -> bool:
        return self.address.startswith(("mac:", "name:"))


def parse_endpoint(text: str) -> Endpoint:
    """Raises: BadInput."""
    match = ENDPOINT.fullmatch(text)
    address = (match["bracketed"] or match["plain"]) if match else text.strip("[]")
    try:
        parsed = str(ip_address(address))
    except ValueError as exc:
        raise BadInput(f"{text!r}: must be {FORMS}") from exc
    return Endpoint(parsed, _read_port(match, text) if match else None)


def parse_identified(text: str) -> Endpoint:
    """As `parse_endpoint`, or with an identity in place of the address: `mac:…`, `name:…`.

    Raises: BadInput.
    """
    from cascan.inventory.identities import parse_identity

    try:
        return parse_endpoint(text)
    except BadInput as exc:
        match = IDENTITY.fullmatch(text)
        identity = parse_identity(match["identity"]) if match else ""
        if not match or not identity or NUMERIC.fullmatch(match["identity"]):
            raise BadInput(f"{exc}; {IDENTITY_FORMS}") from exc
        return Endpoint(identity, _read_port(match, text))


def _read_port(match: re.Match[str], text: str) -> tuple[str, int] | None:
    if match["port"] is None:
        return None
    if int(match["port"]) > MAX_PORT:
        raise BadInput(f"{text!r}: the last port is {MAX_PORT}")
    return match["protocol"] or "tcp", int(match["port"])


def has_port(text: str) -> bool:
    return ENDPOINT.fullmatch(text) is not None
