"""`cascan inventory`: list what is open now and since when, by address, network, port or service."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from cascan_cli.commands.export_findings import check_export_options, write_records
from cascan_cli.errors import BadInput
from cascan_cli.input.inventory_query import parse_inventory_selection
from cascan_cli.output.history import format_time
from cascan_cli.output.inventory import known_port_to_json
from cascan_cli.output.table import print_table
from cascan_cli.output.text import print_json_list, print_message
from cascan_cli.stack.open import open_stack

if TYPE_CHECKING:
    from cascan.model.inventory import InventoryQuery
    from cascan.queries.moved_hosts import ListedHost
    from cascan_cli.stack.open import StackGateways

COLUMNS = (
    "ADDRESS",
    "NAME",
    "PORT",
    "STATE",
    "SERVICE",
    "PRODUCT",
    "FIRST SEEN",
    "LAST SEEN",
    "SCAN",
    "IDENTITY",
)
OPTIONAL = ("IDENTITY",)  # shown if any host has one
# In this order, in a narrow terminal.
DROPPED = ("SCAN", "IDENTITY", "LAST SEEN", "NAME", "FIRST SEEN", "PRODUCT", "SERVICE")


def run(args: Namespace) -> int:
    if args.as_targets and (args.json or args.all):
        raise BadInput("--as-targets prints open ports as lines of text; leave out --json and --all")
    check_export_options(args)
    from cascan.queries.moved_hosts import list_hosts

    query = parse_inventory_selection(args)
    with open_stack(args) as stack:
        # Printed as they are read: the inventory may have more than fit into memory
        matching = list_hosts(stack.table, query, vantage=args.vantage)
        first = next(matching, None)
        hosts = chain([first], matching) if first else iter(())
        if args.as_targets:
            _print_targets(hosts, query)
        elif args.form:
            _export(hosts, query, args)
        elif args.json:
            print_json_list(_as_json(host, query) for host in hosts if args.all or _is_there(host))
        else:
            rows = (row for host in hosts for row in _rows(host, query))
            print_table(COLUMNS, rows, drop=DROPPED, whole=("ADDRESS", "SCAN"), optional=OPTIONAL)
            _name_other_vantages(args.vantage, stack)
    if first is None:
        print_message(f"the inventory{_name_vantage(args.vantage)} has nothing that matches")
    return 0


def _export(hosts: Iterable[ListedHost], query: InventoryQuery, args: Namespace) -> None:
    from cascan.formats.inventory_records import select_inventory_records

    records = select_inventory_records(hosts, query, vantage=args.vantage)
    write_records(records, args, title="inventory", vantage=args.vantage)


def _name_other_vantages(vantage: str, stack: StackGateways) -> None:
    """Say that the stack itself is not the only place, so that nothing seen from elsewhere seems to be missing."""
    from cascan.model.vantage import DEFAULT_VANTAGE

    if vantage != DEFAULT_VANTAGE:
        return
    names = [other.name for other in stack.table.vantages() if other.removed_at is None]
    if names:
        print_message(f"as seen from the stack itself; others with --vantage NAME: {', '.join(names)}")


def _is_there(host: ListedHost) -> bool:
    return host.record.is_up and not host.moved_to


def _print_targets(hosts: Iterable[ListedHost], query: InventoryQuery) -> None:
    from cascan.model.inventory import OPEN
    from cascan_cli.output.targets import format_targets

    records = (host.record for host in hosts if not host.moved_to)
    ports = ((record.address, port) for record in records for port in query.ports_of(record))
    is_open = ((address, port) for address, port in ports if port.latest.state == OPEN)
    for line in format_targets((address, port.protocol, port.port) for address, port in is_open):
        print(line)


def _name_vantage(vantage: str) -> str:
    from cascan.model.vantage import DEFAULT_VANTAGE

    return "" if vantage == DEFAULT_VANTAGE else f" of vantage {vantage}"


def _rows(host: ListedHost, query: InventoryQuery) -> Iterator[tuple[object, ...]]:
    """One row for each selected port; one row for a host that has none.

    A host that moved is listed at its new address; with `was_open` also at the old one.
    """
    if host.moved_to and not query.was_open:
        return
    record = host.record
    ports = query.ports_of(record)
    place = f"moved to {host.moved_to}" if host.moved_to else ""
    for port in ports:
        latest = port.latest
        product = " ".join(filter(None, (latest.product, latest.version)))
        remark = place if record.is_up else record.latest.state
        state = f"{latest.state}, {remark}" if remark else latest.state
        name = f"{port.protocol}/{port.port}"
        seen = (format_time(port.first_seen), format_time(port.last_seen), latest.scan_id)
        yield record.address, record.hostname, name, state, latest.service, product, *seen, record.identity
    if not ports and (record.is_up or query.was_open):
        seen = (format_time(record.first_seen), format_time(record.last_seen), record.latest.scan_id)
        yield record.address, record.hostname, "", place or record.latest.state, "", "", *seen, record.identity


def _as_json(host: ListedHost, query: InventoryQuery) -> dict[str, Any]:
    record = host.record
    identity = {"identity": record.identity} if record.identity else {}
    moved = {"movedTo": host.moved_to} if host.moved_to else {}
    return (
        identity
        | moved
        | {
            "address": record.address,
            "hostname": record.hostname,
            "state": record.latest.state,
            "firstSeen": record.first_seen,
            "lastSeen": record.last_seen,
            "lastScan": record.latest.scan_id,
            "ports": [known_port_to_json(port) for port in query.ports_of(record)],
        }
    )
