"""A port of a host on the command line: `10.0.0.5:22`, `[2001:db8::5]:53/udp`; or the host alone."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import NamedTuple

from cascan_cli.errors import BadInput

ENDPOINT = re.compile(
    r"(?:\[(?P<bracketed>[^\]]+)\]|(?P<plain>[^:/\[\]]+))"
    r":(?P<port>[0-9]{1,5})(?:/(?P<protocol>tcp|udp|sctp|ip))?"
)
FORMS = "an address such as 10.0.0.5, or with a port: 10.0.0.5:22, 10.0.0.5:53/udp, [2001:db8::5]:22"
MAX_PORT = 65_535


class Endpoint(NamedTuple):
    address: str
    key: tuple[str, int] | None  # protocol and number; None: the host


def parse_endpoint(text: str) -> Endpoint:
    """Raises: BadInput."""
    match = ENDPOINT.fullmatch(text)
    address = (match["bracketed"] or match["plain"]) if match else text.strip("[]")
    try:
        parsed = str(ip_address(address))
    except ValueError as exc:
        raise BadInput(f"{text!r}: must be {FORMS}") from exc
    if not match:
        return Endpoint(parsed, None)
    if int(match["port"]) > MAX_PORT:
        raise BadInput(f"{text!r}: the last port is {MAX_PORT}")
    return Endpoint(parsed, (match["protocol"] or "tcp", int(match["port"])))


def has_port(text: str) -> bool:
    return ENDPOINT.fullmatch(text) is not None
