"""The pointers by which hosts are found: from values to DynamoDB's wire form, and back.

what      pk                                   sk                       attributes
────────  ───────────────────────────────────  ───────────────────────  ──────────────────────────
pointers  network/<vantage>/<network>/host     <hex of a /24, or /120>  hosts: the last bytes of
          network/<vantage>/<network>/                                  the addresses
          <protocol>/<port>
          network/<vantage>/<network>/
          service/<name>
pointer   as above                             <hex of an address>
network   networks/<vantage>                   <network>

A pointer means that a host was known, a port open, or a service present at some time. It is written
before the record and never deleted. A query follows the pointers and checks the records. So a
pointer without a matching record does no harm, whatever fails between two writes; and a scan that
finds nothing new writes no pointers.

Hosts of a /24 network that get the same pointer at once share an item: one update adds them to its
set, which costs one write unit for all of them. A host alone gets an item of its own, because 25 of
these are one call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cascan.aws.dynamodb.pipeline import Write
from cascan.aws.dynamodb.wire import Item, build_key
from cascan.aws.tables.inventory_items import address_to_hex, find_network
from cascan.aws.tables.vantage_keys import networks_partition
from cascan.model.inventory import HostRecord
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.nmap.addresses import parse_address

SET_DIGITS = 2  # the last hex digits of an address, which a set of pointers holds


class Pointer(NamedTuple):
    """An address that is found in a partition."""

    partition: str
    address: str  # in hex


def new_pointers(record: HostRecord, previous: HostRecord | None, base: str) -> Iterator[Pointer]:
    """The pointers to a record that its previous revision did not need.

    `base`: the partition key of the record's network.
    """
    address = address_to_hex(record.address)
    if previous is None:
        yield Pointer(host_pointers(base), address)
    known_ports = {port.key: port.latest for port in previous.ports} if previous else {}
    services = {latest.service for latest in known_ports.values()}
    for port in record.ports:
        if port.key not in known_ports:
            yield Pointer(port_pointers(base, *port.key), address)
        service = port.latest.service
        if service and service not in services:
            services.add(service)
            yield Pointer(service_pointers(base, service), address)


def find_record_network(record: HostRecord) -> str:
    number = parse_address(record.address)
    return find_network(int(number), number.version)


def network_item(network: str, vantage: str = DEFAULT_VANTAGE) -> Item:
    return build_key(networks_partition(vantage), network)


def host_pointers(base: str) -> str:
    return f"{base}/host"


def port_pointers(base: str, protocol: str, port: int) -> str:
    return f"{base}/{protocol}/{port}"


def service_pointers(base: str, service: str) -> str:
    return f"{base}/service/{service}"


def merge_pointers(table: str, pointers: Iterable[Pointer]) -> tuple[list[Item], list[Write]]:
    """The items and the updates that store the pointers."""
    groups: dict[Pointer, set[str]] = {}
    for partition, address in pointers:
        network = Pointer(partition, address[:-SET_DIGITS])
        groups.setdefault(network, set()).add(address[-SET_DIGITS:])
    items = [
        build_key(partition, network + host)
        for (partition, network), hosts in groups.items()
        if len(hosts) == 1
        for host in hosts
    ]
    updates = [_add_to_set(table, build_key(*group), hosts) for group, hosts in groups.items() if len(hosts) > 1]
    return items, updates


def _add_to_set(table: str, key: Item, hosts: set[str]) -> Write:
    numbers = [str(int(host, 16)) for host in sorted(hosts)]
    request = {
        "TableName": table,
        "Key": key,
        "UpdateExpression": "ADD #hosts :hosts",
        "ExpressionAttributeNames": {"#hosts": "hosts"},
        "ExpressionAttributeValues": {":hosts": {"NS": numbers}},
    }
    return Write("UpdateItem", request)


def read_pointers(item: Item) -> list[str]:
    """The addresses, in hex, to which the item points."""
    sk = str(item["sk"]["S"])
    if "hosts" not in item:
        return [sk]
    return [f"{sk}{int(number):0{SET_DIGITS}x}" for number in item["hosts"]["NS"]]
