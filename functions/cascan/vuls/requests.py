"""Destinations and the settings of config.toml → scan requests, one for each family of addresses.

Each address is asked its own ports. `-Pn`: Vuls has logged in to the server, so whether it answers a
ping says nothing about its ports.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cascan.forms.complete_request import to_slug
from cascan.forms.vuls import SERVER_LABEL
from cascan.limits import MAX_LABEL_CHARS, MAX_TARGET_CHARS
from cascan.nmap.addresses import parse_address
from cascan.nmap.ports.port_set import PortSet
from cascan.nmap.targets.kinds import IPV4, IPV6
from cascan.vuls.destinations import Destinations

ASSUME_UP = "-Pn"


class ServerRequest(NamedTuple):
    document: dict[str, Any]  # in the short form
    destinations: Destinations  # that it asks


def build_requests(label: str, settings: Mapping[str, Any], destinations: Destinations) -> Iterator[ServerRequest]:
    """`settings`: the request of the server as `forms.vuls` reads it.

    `label`: the server, or `container@server`.
    """
    for family, suffix in ((IPV4, ""), (IPV6, "-ipv6")):
        addresses = [address for address in destinations if parse_address(address).version == family]
        addresses.sort(key=lambda address: int(parse_address(address)))
        targets = [target for address in addresses for target in write_targets(address, destinations[address])]
        if targets:
            document = {
                **settings,
                "name": to_slug(f"{label}{suffix}"),
                "targets": targets,
                "parameters": [ASSUME_UP, *(("-6",) if family == IPV6 else ())],
                "labels": {**settings.get("labels", {}), SERVER_LABEL: label[:MAX_LABEL_CHARS]},
            }
            yield ServerRequest(document, {address: destinations[address] for address in addresses})


def write_targets(address: str, ports: frozenset[int]) -> Iterator[str]:
    """`10.0.0.5:22,443`; more than one where the list is too long for a target."""
    host = f"[{address}]" if ":" in address else address
    listed = str(PortSet((port, port) for port in ports)).split(",")
    room = MAX_TARGET_CHARS - len(host) - 1
    for ports_text in _join(listed, room):
        yield f"{host}:{ports_text}"


def _join(items: Sequence[str], room: int) -> Iterator[str]:
    """The items joined by commas, in as few texts of at most `room` characters as it takes."""
    text = ""
    for item in items:
        if text and len(text) + 1 + len(item) > room:
            yield text
            text = ""
        text = f"{text},{item}" if text else item
    if text:
        yield text
