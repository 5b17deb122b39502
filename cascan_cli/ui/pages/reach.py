"""/reach: from where which ports of a host or a network are reachable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from cascan.limits import MAX_CONSOLE_HOSTS
from cascan.model.inventory import OPEN
from cascan.queries.reach import PortReach, find_reach, list_vantages
from cascan_cli.input.inventory_query import parse_query
from cascan_cli.output.history import format_look, format_port
from cascan_cli.ui.console import Console, get_console
from cascan_cli.ui.list_page import show_listing
from cascan_cli.ui.listing import Cell, Filter, Listing, read_query
from cascan_cli.ui.pages.cells import host_link

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from cascan.queries.history import Answer

DIFFERING = "only ports that differ by vantage"


def show_reach(request: Request) -> Response:
    console, query = get_console(request), read_query(request, "host", "port", "show")
    vantages = list_vantages(console.stack.table)
    listing = Listing(
        title="Reachability",
        columns=("Address", "Name", "Port", *vantages),
        rows=map(_row, _find(console, query, vantages)),
        filters=(
            Filter("host", "Host", query["host"], hint="address or network"),
            Filter("port", "Port", query["port"], hint="22 or udp/53"),
            Filter("show", "Show", query["show"], (DIFFERING,), unset="every port that is open from one"),
        ),
        empty="No port that matches was open from any vantage.",
        notes=[f"At most {MAX_CONSOLE_HOSTS} hosts are compared; narrow the network to see others."],
    )
    return show_listing(request, listing)


def _find(console: Console, query: dict[str, str], vantages: Sequence[str]) -> Iterator[PortReach]:
    table, now = console.stack.table, console.clock()
    selection = parse_query(query["host"].split(), query["port"].split(), "", was_open=True)
    hosts = (host for vantage in vantages for host in table.hosts(selection, vantage=vantage))
    addresses = dict.fromkeys(host.address for host in islice(hosts, MAX_CONSOLE_HOSTS))
    for found in console.readers.map(lambda address: find_reach(table, address, now, vantages), addresses):
        for reach in found:
            is_selected = not selection.ports or reach.key in selection.ports
            if is_selected and (reach.differs or query["show"] != DIFFERING):
                yield reach


def _row(reach: PortReach) -> tuple[object, ...]:
    return host_link(reach.address), reach.hostname, format_port(reach.key), *map(_cell, reach.answers)


def _cell(answer: Answer) -> Cell:
    text = " ".join(filter(None, (answer.state, format_look(answer.look))))
    return Cell(text, mark="good" if answer.state == OPEN else "quiet")
