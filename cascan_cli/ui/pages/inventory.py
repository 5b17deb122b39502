"""/inventory: what is open now, and since when; also what was open."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cascan.formats.inventory_records import select_inventory_records
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.queries.moved_hosts import ListedHost, list_hosts
from cascan.queries.reach import list_vantages
from cascan_cli.input.inventory_query import parse_inventory_selection
from cascan_cli.ui.console import format_time, get_console
from cascan_cli.ui.list_page import show_listing
from cascan_cli.ui.listing import Cell, Filter, Listing, read_query
from cascan_cli.ui.pages.cells import host_link, scan_link

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from cascan.model.inventory import InventoryQuery

COLUMNS = ("Address", "Name", "Port", "State", "Service", "Product", "First seen", "Last seen", "Scan")
FIELDS = ("host", "port", "service", "text", "since", "show", "vantage")
WITH_GONE = "also closed and gone"


def show_inventory(request: Request) -> Response:
    table, query = get_console(request).stack.table, read_query(request, *FIELDS)
    selection = parse_inventory_selection(
        Namespace(
            addresses=[],
            host=query["host"].split(),
            port=query["port"].split(),
            service=query["service"],
            text=query["text"],
            since=query["since"] or None,
            all=query["show"] == WITH_GONE,
        )
    )
    hosts = list_hosts(table, selection, vantage=query["vantage"] or DEFAULT_VANTAGE)
    listing = Listing(
        title="Inventory",
        columns=COLUMNS,
        rows=(row for host in hosts for row in _list_rows(host, selection)),
        filters=(
            Filter("host", "Host", query["host"], hint="address, network or name"),
            Filter("port", "Port", query["port"], hint="22 or udp/53"),
            Filter("service", "Service", query["service"], hint="ssh"),
            Filter("text", "Text", query["text"], hint="a part of a name or a product"),
            Filter("since", "Open since", query["since"], hint="7d or a date"),
            Filter("show", "Show", query["show"], (WITH_GONE,), unset="what is open now"),
            Filter("vantage", "Seen from", query["vantage"] or DEFAULT_VANTAGE, tuple(list_vantages(table)), unset=""),
        ),
        empty="Nothing in the inventory matches.",
        records=lambda: select_inventory_records(hosts, selection, vantage=query["vantage"] or DEFAULT_VANTAGE),
    )
    return show_listing(request, listing)


def _list_rows(host: ListedHost, selection: InventoryQuery) -> Iterator[tuple[object, ...]]:
    """A row for each port that matches; one row for a host without any."""
    if host.moved_to and not selection.was_open:
        return
    record = host.record
    ports = selection.ports_of(record)
    address = host_link(record.address)
    remark = f", moved to {host.moved_to}" if host.moved_to else "" if record.is_up else f", {record.latest.state}"
    for port in ports:
        latest = port.latest
        yield (
            address,
            record.hostname,
            f"{port.protocol}/{port.port}",
            Cell(f"{latest.state}{remark}", mark="good" if port.is_open and not remark else "quiet"),
            latest.service,
            f"{latest.product} {latest.version}".strip(),
            format_time(port.first_seen),
            format_time(port.last_seen),
            scan_link(latest.scan_id),
        )
    if not ports and (record.is_up or selection.was_open):
        seen = format_time(record.first_seen), format_time(record.last_seen), scan_link(record.latest.scan_id)
        yield address, record.hostname, "", f"{record.latest.state}{remark}", "", "", *seen
