"""The addresses, ports and service that select hosts, as a query of the inventory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cascan_cli.errors import BadInput

if TYPE_CHECKING:
    from argparse import Namespace

    from cascan.model.inventory import InventoryQuery

PORT = re.compile(r"(?:(?P<protocol>tcp|udp|sctp|ip)/)?(?P<number>[0-9]{1,5})")
PROTOCOLS = ("tcp", "udp", "sctp", "ip")
MAX_INTERVALS = 256  # of one range with gaps; each needs a query


def parse_query(addresses: list[str], ports: list[str], service: str, *, was_open: bool = False) -> InventoryQuery:
    """Parse the selection. Raises: BadInput: an invalid address, network, range or port."""
    from cascan.model.inventory import InventoryQuery
    from cascan.nmap.intervals import merge_intervals

    intervals = [interval for text in addresses for interval in _parse_intervals(text)]
    networks: list[tuple[int, int, int]] = []
    for family in (4, 6):
        of_family = ((low, high) for version, low, high in intervals if version == family)
        networks += ((family, low, high) for low, high in merge_intervals(of_family))
    keys = frozenset(key for text in ports for key in _parse_port(text))
    return InventoryQuery(networks=tuple(networks), ports=keys, service=service, was_open=was_open)


def parse_inventory_selection(args: Namespace) -> InventoryQuery:
    """The options of `cascan inventory`. Raises: BadInput: one of them is invalid."""
    from msgspec.structs import replace

    from cascan_cli.input.moments import parse_since

    names = [text for text in args.host if is_name(text, "--host")]
    addresses = [*args.addresses, *(text for text in args.host if text not in names)]
    if names and addresses:
        raise BadInput(f"--host {names[0]}: the inventory is searched by names or by addresses, not by both at once")
    query = parse_query(addresses, args.port, args.service, was_open=args.all)
    hostnames = frozenset(map(str.casefold, names))
    return replace(query, hostnames=hostnames, text=args.text, since=parse_since(args.since))


def is_name(text: str, option: str) -> bool:
    """Whether the text is a host name, not an address, network or range. Raises: BadInput: it is none of them."""
    from cascan.errors import RequestRefused
    from cascan.nmap.targets.kinds import Name
    from cascan.nmap.targets.target_set import parse_target

    try:
        return isinstance(parse_target(text, 6 if ":" in text else 4), Name)
    except RequestRefused as exc:
        raise BadInput(f"{option} {text}: {exc}") from exc


def _parse_intervals(text: str) -> Iterator[tuple[int, int, int]]:
    from cascan.errors import RequestRefused
    from cascan.nmap.targets.kinds import Name, Network6
    from cascan.nmap.targets.target_set import parse_target

    family = 6 if ":" in text else 4
    try:
        target = parse_target(text, family)
    except RequestRefused as exc:
        raise BadInput(str(exc)) from exc
    if isinstance(target, Name):
        raise BadInput(f"{text!r} is a host name; the inventory is searched by address")
    if isinstance(target, Network6) or target.is_contiguous:
        yield (family, *target.bounds)
        return
    for count, (low, high) in enumerate(target.intervals()):
        if count == MAX_INTERVALS:
            raise BadInput(f"{text!r} has more than {MAX_INTERVALS} intervals; use a network instead")
        yield family, low, high


def _parse_port(text: str) -> list[tuple[str, int]]:
    """The port as (protocol, number), for every protocol if `text` names none."""
    match = PORT.fullmatch(text)
    if not match or int(match["number"]) > 65_535:  # noqa: PLR2004 - the last port
        raise BadInput(f"--port {text}: must be a port number such as 22 or udp/53")
    protocols = [match["protocol"]] if match["protocol"] else PROTOCOLS
    return [(protocol, int(match["number"])) for protocol in protocols]
