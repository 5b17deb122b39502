"""`cascan exposure init`: a first file of expected exposure, from what the inventory has open."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator

from msgspec.structs import replace

from cascan.errors import RequestRefused
from cascan.exposure.initial_file import OpenHost, render_initial_file
from cascan.exposure.read_exposure_file import read_exposure_file
from cascan.model.inventory import PortRecord
from cascan_cli.errors import BadInput
from cascan_cli.input.inventory_query import parse_query
from cascan_cli.output.text import pluralize, print_message, write_text
from cascan_cli.stack.open import StackGateways, open_stack


def run(args: Namespace) -> int:
    """Exit code 0: written. 2: the file exists, or the inventory has too much for one file."""
    if args.output and args.output.exists() and not args.force:
        raise BadInput(f"{args.output} exists; choose another name, or add --force to overwrite it")
    with open_stack(args) as stack:
        vantages = [args.vantage] if args.vantage else list(stack.table.history_vantages())
        hosts = list(_list_open_hosts(args, stack, vantages))
    text = render_initial_file(hosts, vantages)
    try:
        file = read_exposure_file(text)
    except RequestRefused as refused:
        raise BadInput(
            f"{refused}; write several files, each for some networks: cascan exposure init 10.0.0.0/24"
        ) from refused
    if not hosts:
        print_message("the inventory has no open port; scan first, for example: cascan scan 10.0.0.0/28")
    write_text(text, args.output)
    if args.output:
        print_message(f"{args.output}: {pluralize(len(file.entries), 'entry', 'entries')}; next: cascan exposure check")
    return 0


def _list_open_hosts(args: Namespace, stack: StackGateways, vantages: list[str]) -> Iterator[OpenHost]:
    query = replace(parse_query(args.addresses, [], ""), was_open=False)
    for vantage in vantages:
        for record in stack.table.hosts(query, vantage=vantage):
            if record.open_ports:
                yield OpenHost(
                    address=record.address,
                    vantage=vantage,
                    ports={port.key: _find_service(port) for port in record.open_ports},
                    asked_name=record.asked_name,
                    hostname=record.hostname,
                )


def _find_service(port: PortRecord) -> str:
    """The service, if it was probed: else its name is a guess from the port number."""
    return port.latest.service if port.latest.probed else ""
