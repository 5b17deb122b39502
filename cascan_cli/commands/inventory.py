"""`cascan inventory`: what is open now, where, since when: by address, network, port or service."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cascan_cli.errors import BadInput
from cascan_cli.output.table import print_table
from cascan_cli.output.text import print_json, print_message
from cascan_cli.stack.open import open_stack

if TYPE_CHECKING:
    from datetime import datetime

    from cascan.model.inventory import HostRecord, InventoryQuery, PortRecord

COLUMNS = ("ADDRESS", "NAME", "PORT", "STATE", "SERVICE", "PRODUCT", "FIRST SEEN", "LAST SEEN", "SCAN")
LEAST_FIRST = ("SCAN", "LAST SEEN", "NAME", "FIRST SEEN", "PRODUCT", "SERVICE")  # what a narrow terminal goes without
PORT = re.compile(r"(?:(?P<protocol>tcp|udp|sctp|ip)/)?(?P<number>[0-9]{1,5})")
PROTOCOLS = ("tcp", "udp", "sctp", "ip")
MAX_STRETCHES = 256  # of one range with gaps; each is looked up by itself


def run(args: Namespace) -> int:
    sought = parse_query(args.addresses, args.port, args.service, was_open=args.all)
    with open_stack(args) as stack:
        hosts = list(stack.table.hosts(sought))
    if args.json:
        print_json([_as_json(host, sought) for host in hosts if args.all or host.is_up])
    else:
        rows = (row for host in hosts for row in _rows(host, sought))
        print_table(COLUMNS, rows, drop=LEAST_FIRST, whole=("ADDRESS", "SCAN"))
    if not hosts:
        print_message("nothing is known that fits")
    return 0


def parse_query(addresses: list[str], ports: list[str], service: str, *, was_open: bool = False) -> InventoryQuery:
    """Raises: BadInput: no address, network or range of addresses; no port."""
    from cascan.model.inventory import InventoryQuery  # after --help
    from cascan.nmap.intervals import merge_intervals

    found = [network for text in addresses for network in _networks(text)]
    networks = tuple(
        (family, low, high)
        for family in (4, 6)
        for low, high in merge_intervals((low, high) for of, low, high in found if of == family)
    )
    keys = frozenset(key for text in ports for key in _ports(text))
    return InventoryQuery(networks=networks, ports=keys, service=service, was_open=was_open)


def _networks(text: str) -> Iterator[tuple[int, int, int]]:
    from cascan.errors import RequestRefused
    from cascan.nmap.targets.kinds import Name, Network6
    from cascan.nmap.targets.target_set import parse_target

    family = 6 if ":" in text else 4
    try:
        target = parse_target(text, family)
    except RequestRefused as exc:
        raise BadInput(str(exc)) from exc
    if isinstance(target, Name):
        raise BadInput(f"{text!r} is a name; the inventory is kept by address")
    if isinstance(target, Network6) or target.is_contiguous:
        yield (family, *target.bounds)
        return
    for count, (low, high) in enumerate(target.intervals()):
        if count == MAX_STRETCHES:
            raise BadInput(f"{text!r} has more than {MAX_STRETCHES} stretches; ask for a network")
        yield family, low, high


def _ports(text: str) -> list[tuple[str, int]]:
    match = PORT.fullmatch(text)
    if not match or int(match["number"]) > 65_535:  # noqa: PLR2004 - the last port
        raise BadInput(f"--port {text}: a number, or udp/53")
    return [(protocol, int(match["number"])) for protocol in ([match["protocol"]] if match["protocol"] else PROTOCOLS)]


def _rows(host: HostRecord, sought: InventoryQuery) -> Iterator[tuple[object, ...]]:
    """A line for each port; one for the host where none is to be shown."""
    ports = sought.ports_of(host)
    for port in ports:
        latest = port.latest
        product = " ".join(filter(None, (latest.product, latest.version)))
        state = latest.state if host.is_up else f"{latest.state}, {host.latest.state}"
        name = f"{port.protocol}/{port.port}"
        seen = (_when(port.first_seen), _when(port.last_seen), latest.scan_id)
        yield host.address, host.hostname, name, state, latest.service, product, *seen
    if not ports and (host.is_up or sought.was_open):
        seen = (_when(host.first_seen), _when(host.last_seen), host.latest.scan_id)
        yield host.address, host.hostname, "", host.latest.state, "", "", *seen


def _as_json(host: HostRecord, sought: InventoryQuery) -> dict[str, Any]:
    return {
        "address": host.address,
        "hostname": host.hostname,
        "state": host.latest.state,
        "firstSeen": host.first_seen,
        "lastSeen": host.last_seen,
        "lastScan": host.latest.scan_id,
        "ports": [_port_as_json(port) for port in sought.ports_of(host)],
    }


def _port_as_json(port: PortRecord) -> dict[str, Any]:
    return {
        "protocol": port.protocol,
        "port": port.port,
        "state": port.latest.state,
        "service": port.latest.service,
        "product": port.latest.product,
        "version": port.latest.version,
        "firstSeen": port.first_seen,
        "lastSeen": port.last_seen,
        "lastScan": port.latest.scan_id,
    }


def _when(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
