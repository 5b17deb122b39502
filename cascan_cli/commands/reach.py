"""`cascan reach`: from where the ports of a host are reachable, a row for each port and a column for each vantage."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from cascan_cli.errors import BadInput
from cascan_cli.input.endpoints import has_port, parse_endpoint
from cascan_cli.input.inventory_query import parse_query
from cascan_cli.input.moments import parse_duration, parse_look_moment, parse_zone
from cascan_cli.output.history import format_look, format_port, look_to_json, service_to_json
from cascan_cli.output.listing import Listing, print_listing
from cascan_cli.output.text import print_message
from cascan_cli.stack.open import StackGateways, open_stack

if TYPE_CHECKING:
    from cascan.model.inventory import PortKey
    from cascan.queries.history import Answer
    from cascan.queries.reach import PortReach


def run(args: Namespace) -> int:
    if has_port(args.host) and args.port:
        raise BadInput(f"{args.host}: it names a port already; leave --port out")
    from cascan.queries.reach import list_vantages

    with open_stack(args) as stack:
        vantages = list_vantages(stack.table)
        rows = _find_rows(args, stack, vantages)
    listing = Listing(
        title=f"reachability of {args.host}",
        unit="port",
        items=rows,
        columns=("ADDRESS", "NAME", "PORT", *(vantage.upper() for vantage in vantages)),
        to_row=_row,
        to_json=_to_json,
        drop=("NAME",),
        whole=("ADDRESS",),
    )
    print_listing(listing, args)
    if not rows:
        print_message(f"no port of {args.host} that matches was open from any vantage")
    return 0


def _find_rows(args: Namespace, stack: StackGateways, vantages: Sequence[str]) -> list[PortReach]:
    from cascan.queries.reach import find_addresses, find_reach

    moment = parse_look_moment(args.at, parse_zone(args.tz), "--at")
    stale = parse_duration(args.stale, "--stale") if args.stale else None
    address, keys = _parse_host(args)
    addresses = [address] if address else find_addresses(stack.table, args.host, vantages)
    if not addresses:
        raise BadInput(f"{args.host!r}: no address in the inventory has this name; give an address")
    rows: list[PortReach] = []
    for each in addresses:
        rows += find_reach(stack.table, each, moment, vantages, keys=keys, stale=stale)
    return rows


def _parse_host(args: Namespace) -> tuple[str, frozenset[PortKey]]:
    """The address, empty for a name; and the ports that were named. Raises: BadInput."""
    if has_port(args.host):
        endpoint = parse_endpoint(args.host)
        return endpoint.address, frozenset({endpoint.key} if endpoint.key else ())
    keys = _parse_ports(args.port)
    with suppress(ValueError):
        return str(ip_address(args.host.strip("[]"))), keys
    return "", keys


def _parse_ports(ports: list[str]) -> frozenset[PortKey]:
    """A number alone is a TCP port. Raises: BadInput."""
    return parse_query([], [port if "/" in port else f"tcp/{port}" for port in ports], "").ports


def _row(reach: PortReach) -> tuple[object, ...]:
    return reach.address, reach.hostname, format_port(reach.key), *map(_cell, reach.answers)


def _cell(answer: Answer) -> str:
    return " ".join(filter(None, (answer.state, format_look(answer.look))))


def _to_json(reach: PortReach) -> dict[str, Any]:
    return {
        "address": reach.address,
        "hostname": reach.hostname,
        "protocol": reach.key[0],
        "port": reach.key[1],
        "differs": reach.differs,
        "vantages": [
            {
                "vantage": answer.vantage,
                "state": answer.state,
                "service": service_to_json(answer.service),
                "look": look_to_json(answer.look),
            }
            for answer in reach.answers
        ],
    }
