"""Find the hosts that may match a query, by the pointers that inventory_items.py describes.

A pointer is written before its record and never deleted. So a reader has to check the record, which
may not match any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cascan.aws.dynamodb.table import TablePart
from cascan.aws.tables.inventory_items import (
    find_network,
    hex_to_address,
    host_pointers,
    network_bounds,
    port_pointers,
    service_pointers,
    split_by_network,
    to_hex,
)
from cascan.model.inventory import InventoryQuery
from cascan.nmap.intervals import Interval

# For a wider query, the list of networks that have hosts is read first.
MAX_NETWORKS_TRIED = 16
# For a wider query, the pointers to the addresses that have a record are read first.
MAX_ADDRESSES_TRIED = 256
EVERYWHERE = ((4, 0, 2**32 - 1), (6, 0, 2**128 - 1))


class HostPointers(TablePart):
    """The pointers of one table."""

    def known_addresses(self, family: int, low: int, high: int) -> Iterator[str]:
        """The addresses from `low` to `high` that have ever had a record, in order."""
        for network, interval in self._networks([(family, low, high)]):
            yield from map(hex_to_address, self._pointed(host_pointers(network), interval, family))

    def candidates(self, sought: InventoryQuery) -> Iterator[str]:
        """The addresses of all records that match the query, and of some that do not, in order."""
        if sought.networks and _count_addresses(sought.networks) <= MAX_ADDRESSES_TRIED:
            for family, low, high in sorted(sought.networks):
                for number in range(low, high + 1):
                    yield hex_to_address(to_hex(number, family))
            return
        for network, interval in self._networks(sought.networks or EVERYWHERE):
            family = int(network[0])
            hexes: set[str] = set()
            for partition in _choose_partitions(network, sought):
                hexes.update(self._pointed(partition, interval, family))
            yield from map(hex_to_address, sorted(hexes))

    def _networks(self, networks: Iterable[tuple[int, int, int]]) -> Iterator[tuple[str, Interval]]:
        """The stored networks that overlap the given ones, in order, each with the overlap."""
        for family, low, high in sorted(networks):
            for name in self._names_between(family, low, high):
                _, (lowest, highest) = network_bounds(name)
                yield name, (max(low, lowest), min(high, highest))

    def _names_between(self, family: int, low: int, high: int) -> Iterable[str]:
        lowest, highest = find_network(low, family), find_network(high, family)
        if int(highest[2:], 16) - int(lowest[2:], 16) < MAX_NETWORKS_TRIED:
            intervals = split_by_network((low, high), family)
            return (find_network(start, family) for start, _ in intervals)
        return self._stored_networks(lowest, highest)

    def _stored_networks(self, lowest: str, highest: str) -> Iterator[str]:
        return (item["sk"]["S"] for item in self._table.between("networks", lowest, highest))

    def _pointed(self, pk: str, interval: Interval, family: int) -> Iterator[str]:
        low, high = (to_hex(number, family) for number in interval)
        return (item["sk"]["S"] for item in self._table.between(pk, low, high))


def _count_addresses(networks: Iterable[tuple[int, int, int]]) -> int:
    return sum(high - low + 1 for _, low, high in networks)


def _choose_partitions(network: str, sought: InventoryQuery) -> list[str]:
    """The partitions of the network's pointers that hold all hosts which match the query."""
    if sought.service:
        return [service_pointers(network, sought.service)]
    if sought.ports:
        return [port_pointers(network, *port) for port in sorted(sought.ports)]
    return [host_pointers(network)]
