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

RECORDS_AT_ONCE = 1_000  # whose hosts are read together: about 100, as many as one call reads
PLACES = frozenset({HOST, OPEN_PORT})
HostKey = tuple[str, str]  # vantage and address
FirstSeen = dict[PortKey | None, datetime]  # by port, and of the host under None


def add_first_seen(records: Iterable[Record], table: Inventory) -> Iterator[Record]:
    """The records in their order. Those of hosts and open ports get the time at which a scan saw that first.

    What scripts found has no such time: the inventory does not know it.
    """
    stream = iter(records)
    while batch := list(islice(stream, RECORDS_AT_ONCE)):
        keys = [_find_host(record) for record in batch]
        hosts = _read_hosts(filter(None, keys), table)
        for record, key in zip(batch, keys, strict=True):
            times = hosts.get(key) if key else None
            yield _add(record, times) if times else record


def _find_host(record: Record) -> HostKey | None:
    """None: the record is not about a host or an open port."""
    finding = record.finding
    return (record.vantage, find_address(finding)) if finding.category in PLACES else None


def _read_hosts(keys: Iterable[HostKey], table: Inventory) -> dict[HostKey, FirstSeen]:
    by_vantage: dict[str, list[str]] = {}
    for vantage, address in dict.fromkeys(keys):
        if is_address(address):
            by_vantage.setdefault(vantage, []).append(address)
    return {
        (vantage, address): _list_times(host)
        for vantage, addresses in by_vantage.items()
        for address, host in table.known_hosts(addresses, vantage=vantage).items()
    }


def _list_times(host: HostRecord) -> FirstSeen:
    times: FirstSeen = {(port.protocol, port.port): port.first_seen for port in host.ports}
    times[None] = host.first_seen
    return times


def _add(record: Record, times: FirstSeen) -> Record:
    finding = record.finding
    first_seen = times.get(None if finding.category == HOST else find_port_key(finding))
    # The inventory may be younger than a scan, such as after addresses were forgotten
    is_earlier = first_seen is not None and first_seen <= finding.parsed_at
    return replace(record, first_seen=first_seen) if is_earlier else record
