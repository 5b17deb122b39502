"""Which hosts may be what somebody looks for: found by the pointers that inventory_items.py draws.

A pointer is written before its record and never deleted, so who follows it asks the record.
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

MAX_NETWORKS_TRIED = 16  # beyond, the networks that have hosts are asked for first
MAX_ADDRESSES_TRIED = 256  # beyond, the pointers are asked which of them have a record
EVERYWHERE = ((4, 0, 2**32 - 1), (6, 0, 2**128 - 1))


class HostPointers(TablePart):
    """The pointers of one table."""

    def known_addresses(self, family: int, low: int, high: int) -> Iterator[str]:
        """The addresses in the interval that ever had a record, in order."""
        for network, interval in self._networks([(family, low, high)]):
            yield from map(hex_to_address, self._pointed(host_pointers(network), interval, family))

    def candidates(self, sought: InventoryQuery) -> Iterator[str]:
        """Addresses whose records may fit, in order: a superset of those that do."""
        if sought.networks and sum(high - low + 1 for _, low, high in sought.networks) <= MAX_ADDRESSES_TRIED:
            for family, low, high in sorted(sought.networks):
                yield from (hex_to_address(to_hex(number, family)) for number in range(low, high + 1))
            return
        for network, (low, high) in self._networks(sought.networks or EVERYWHERE):
            family = int(network[0])
            if sought.service:
                partitions = [service_pointers(network, sought.service)]
            elif sought.ports:
                partitions = [port_pointers(network, *port) for port in sorted(sought.ports)]
            else:
                partitions = [host_pointers(network)]
            found = {digits for pk in partitions for digits in self._pointed(pk, (low, high), family)}
            yield from map(hex_to_address, sorted(found))

    def _networks(self, networks: Iterable[tuple[int, int, int]]) -> Iterator[tuple[str, Interval]]:
        """The stored networks that the given ones touch, in order, with what of them is touched."""
        for family, low, high in sorted(networks):
            first, last = find_network(low, family), find_network(high, family)
            if int(last[2:], 16) - int(first[2:], 16) < MAX_NETWORKS_TRIED:
                names: Iterable[str] = (
                    find_network(piece[0], family) for piece in split_by_network((low, high), family)
                )
            else:
                names = self._stored_networks(first, last)
            for name in names:
                _, (lowest, highest) = network_bounds(name)
                yield name, (max(low, lowest), min(high, highest))

    def _stored_networks(self, first: str, last: str) -> Iterator[str]:
        return (item["sk"]["S"] for item in self._table.between("networks", first, last))

    def _pointed(self, pk: str, interval: Interval, family: int) -> Iterator[str]:
        low, high = (to_hex(number, family) for number in interval)
        return (item["sk"]["S"] for item in self._table.between(pk, low, high))
