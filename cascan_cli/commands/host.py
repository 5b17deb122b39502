"""`cascan host ADDRESS`: all that is known of a host."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address
from itertools import chain
from typing import TYPE_CHECKING

from cascan.clock import utc_now
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.queries.host_page import read_host
from cascan.queries.reach import find_addresses
from cascan_cli.errors import BadInput
from cascan_cli.output.host_page import host_view_to_json, print_host
from cascan_cli.output.text import print_json, print_message
from cascan_cli.stack.open import StackGateways, open_stack

if TYPE_CHECKING:
    from cascan.queries.host_page import HostView


def run(args: Namespace) -> int:
    """Raises: BadInput: no address in the inventory has the name."""
    if args.form or args.output or args.with_secrets:
        from cascan_cli.commands.export_findings import check_export_options  # imports every format

        check_export_options(args)
    with open_stack(args) as stack:
        vantages = [args.vantage] if args.vantage else _list_vantages(stack)
        addresses = _find_addresses(args.host, stack, vantages)
        pages = [(address, read_host(stack.table, address, vantages, utc_now())) for address in addresses]
        if args.form:
            _export(chain.from_iterable(views for _, views in pages), args, stack)
    if args.json:
        print_json([host_view_to_json(address, view) for address, views in pages for view in views])
    elif not args.form:
        for address, views in pages:
            print_host(address, views)
    for address, views in pages:
        if not views:
            print_message(f"no scan has looked at {address}")
    return 0


def _export(views: Iterable[HostView], args: Namespace, stack: StackGateways) -> None:
    """Write the findings of the host as `--as` says."""
    from cascan.formats.first_seen import add_first_seen
    from cascan.formats.records import ScanFields, build_record
    from cascan_cli.commands.export_findings import write_records

    records = (build_record(finding, scan, ScanFields.of(scan)) for view in views for finding, scan in view.findings)
    write_records(add_first_seen(records, stack.table), args, title=f"findings of {args.host}")


def _find_addresses(host: str, stack: StackGateways, vantages: list[str]) -> list[str]:
    with suppress(ValueError):
        return [str(ip_address(host.strip("[]")))]
    if "/" in host:
        raise BadInput(f"{host!r}: give one address or name; cascan inventory {host} lists hosts of a network")
    addresses = find_addresses(stack.table, host, vantages)
    if not addresses:
        raise BadInput(f"{host!r}: no address in the inventory has this name; give an address")
    return addresses


def _list_vantages(stack: StackGateways) -> list[str]:
    """The vantages that have looks: the stack itself first."""
    others = set(stack.table.history_vantages()) - {DEFAULT_VANTAGE}
    return [DEFAULT_VANTAGE, *sorted(others)]
