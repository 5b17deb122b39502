"""Since when a port is open or a host is up, added to records from the inventory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

from msgspec.structs import replace

from cascan.findings.by_host import find_address, find_port_key
from cascan.findings.hosts import CATEGORY as HOST
from cascan.findings.ports import OPEN_PORT
from cascan.formats.records import Record
from cascan.gateways import Inventory
from cascan.model.inventory import HostRecord, PortKey
from cascan.nmap.addresses import is_address

RECORDS_AT_ONCE = 500  # whose hosts are read together
FirstSeen = dict[PortKey | None, datetime]  # by port, and of the host under None


def add_first_seen(records: Iterable[Record], table: Inventory) -> Iterator[Record]:
    """The records in their order. Those of hosts and open ports get the time at which a scan saw that first.

    What scripts found has no such time: the inventory does not know it.
    """
    stream = iter(records)
    while batch := list(islice(stream, RECORDS_AT_ONCE)):
        hosts = _read_hosts(batch, table)
        for record in batch:
            times = hosts.get((record.vantage, find_address(record.finding)))
            yield _add(record, times) if times else record


def _read_hosts(batch: list[Record], table: Inventory) -> dict[tuple[str, str], FirstSeen]:
    by_vantage: dict[str, set[str]] = {}
    for record in batch:
        address = find_address(record.finding)
        if record.finding.category in (OPEN_PORT, HOST) and is_address(address):
            by_vantage.setdefault(record.vantage, set()).add(address)
    return {
        (vantage, address): _list_times(host)
        for vantage, addresses in by_vantage.items()
        for address, host in table.known_hosts(addresses, vantage=vantage).items()
    }


def _list_times(host: HostRecord) -> FirstSeen:
    return {None: host.first_seen} | {port.key: port.first_seen for port in host.ports}


def _add(record: Record, times: FirstSeen) -> Record:
    finding = record.finding
    first_seen = None
    if finding.category == HOST:
        first_seen = times[None]
    elif finding.category == OPEN_PORT:
        key = find_port_key(finding)
        first_seen = times.get(key) if key else None
    # The inventory may be younger than a scan, such as after addresses were forgotten
    is_earlier = first_seen is not None and first_seen <= finding.parsed_at
    return replace(record, first_seen=first_seen) if is_earlier else record
