"""/inventory: what is open now, and since when; also what was open."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from cascan.formats.inventory_records import select_inventory_records
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.nmap.addresses import is_address, order_address
from cascan.queries.moved_hosts import ListedHost, list_hosts
from cascan.queries.reach import list_vantages
from cascan_cli.errors import BadInput
from cascan_cli.input.inventory_query import parse_inventory_selection
from cascan_cli.ui.console import format_time, get_console
from cascan_cli.ui.list_page import read_place, show_listing
from cascan_cli.ui.listing import Cell, Filter, Listing, Row, read_query
from cascan_cli.ui.pages.cells import host_link, scan_link

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from cascan.model.inventory import InventoryQuery

COLUMNS = ("Address", "Name", "Port", "State", "Service", "Product", "First seen", "Last seen", "Scan")
FIELDS = ("host", "port", "service", "text", "since", "show", "vantage")
WITH_GONE = "also closed and gone"
EVERYWHERE = ((4, 0, 2**32 - 1), (6, 0, 2**128 - 1))
PORTS = 3 * 65_536  # of one host, of all protocols


class Place(NamedTuple):
    """Of a row: its host, and its number among the host's rows, from 1."""

    address: str
    rows: int


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
    place = _read_place(request)
    sought = _narrow(selection, place) if place else selection
    hosts = list_hosts(table, sought, vantage=query["vantage"] or DEFAULT_VANTAGE)
    listing = Listing(
        title="Inventory",
        columns=COLUMNS,
        rows=_list_behind(hosts, selection, place),
        is_behind=place is not None,
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


def _read_place(request: Request) -> Place | None:
    """Raises: BadInput: it is not the place of a row."""
    text = read_place(request)
    if not text:
        return None
    address, _, rows = text.rpartition("/")
    is_number = rows.isascii() and rows.isdigit() and len(rows) <= len(str(PORTS))
    if not (is_number and is_address(address)):
        raise BadInput(f"after {text!r:.60}: must be the place of a row, as the links of the list have it")
    return Place(address, int(rows))


def _narrow(selection: InventoryQuery, place: Place) -> InventoryQuery:
    """The query from the address of the place on."""
    if selection.hostnames:  # a host may be in no network of the query
        return selection
    first = ip_address(place.address)
    networks = []
    for family, low, high in selection.networks or EVERYWHERE:
        lowest = max(low, int(first)) if family == first.version else low
        if family >= first.version and lowest <= high:
            networks.append((family, lowest, high))
    return replace(selection, networks=tuple(networks))


def _list_behind(hosts: Iterable[ListedHost], selection: InventoryQuery, place: Place | None) -> Iterator[Row]:
    """The rows, each with its place; those behind the place, if there is one."""
    for host in hosts:
        address = host.record.address
        if place and order_address(address) < order_address(place.address):
            continue
        passed = place.rows if place and place.address == address else 0
        for number, row in enumerate(_list_rows(host, selection), start=1):
            if number > passed:
                yield Row(row, f"{address}/{number}")


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
