"""Find the hosts that may match a query, by the pointers that pointer_items.py describes.

A pointer is written before its record and never deleted. So a reader has to check the record, which
may not match any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from cascan.aws.dynamodb.table import DynamoTable, TablePart
from cascan.aws.tables.inventory_items import (
    find_network,
    hex_to_address,
    network_bounds,
    split_by_network,
    to_hex,
)
from cascan.aws.tables.pointer_items import (
    SET_DIGITS,
    host_pointers,
    port_pointers,
    read_pointers,
    service_pointers,
)
from cascan.aws.tables.vantage_keys import network_partition, networks_partition
from cascan.model.inventory import InventoryQuery
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.nmap.intervals import Interval

# For a wider query, the list of networks that have hosts is read first.
MAX_NETWORKS_TRIED = 16
# For a wider query, the pointers to the addresses that have a record are read first.
MAX_ADDRESSES_TRIED = 256
EVERYWHERE = ((4, 0, 2**32 - 1), (6, 0, 2**128 - 1))
NETWORKS_OF_LAYOUT_1 = "networks"
CHECK_AGAIN_AFTER = timedelta(minutes=1)


class HostPointers(TablePart):
    """The pointers of one table."""

    def __init__(self, table: DynamoTable) -> None:
        super().__init__(table)
        self._checked_at: datetime | None = None
        self._has_layout_1 = True

    def has_layout_1(self, vantage: str) -> bool:
        """Whether a part of the vantage's inventory is not migrated from layout 1.

        The list of its networks is written before anything else, and removed last.
        """
        if vantage != DEFAULT_VANTAGE or not self._has_layout_1:
            return False
        now = self._table.clock()
        if self._checked_at is None or now >= self._checked_at + CHECK_AGAIN_AFTER:
            self._checked_at = now
            self._has_layout_1 = any(True for _ in self._table.keys(NETWORKS_OF_LAYOUT_1))
        return self._has_layout_1

    def known_addresses(self, family: int, low: int, high: int, vantage: str) -> Iterator[str]:
        """The addresses from `low` to `high` that have ever had a record, in order."""
        for network, interval in self._networks([(family, low, high)], vantage):
            partitions = map(host_pointers, self._bases(network, vantage))
            yield from self._pointed(partitions, interval, family)

    def candidates(self, sought: InventoryQuery, vantage: str) -> Iterator[str]:
        """The addresses of all records that match the query, and of some that do not, in order."""
        if sought.networks and _count_addresses(sought.networks) <= MAX_ADDRESSES_TRIED:
            for family, low, high in sorted(sought.networks):
                for number in range(low, high + 1):
                    yield hex_to_address(to_hex(number, family))
            return
        for network, interval in self._networks(sought.networks or EVERYWHERE, vantage):
            bases = self._bases(network, vantage)
            partitions = [name for base in bases for name in _choose_partitions(base, sought)]
            yield from self._pointed(partitions, interval, int(network[0]))

    def _bases(self, network: str, vantage: str) -> list[str]:
        """The beginnings of the partition keys of the network's pointers."""
        bases = [network_partition(network, vantage)]
        return [*bases, f"network/{network}"] if self.has_layout_1(vantage) else bases

    def _networks(self, networks: Iterable[tuple[int, int, int]], vantage: str) -> Iterator[tuple[str, Interval]]:
        """The stored networks that overlap the given ones, in order, each with the overlap."""
        for family, low, high in sorted(networks):
            for name in self._names_between(family, low, high, vantage):
                _, (lowest, highest) = network_bounds(name)
                yield name, (max(low, lowest), min(high, highest))

    def _names_between(self, family: int, low: int, high: int, vantage: str) -> Iterable[str]:
        lowest, highest = find_network(low, family), find_network(high, family)
        if int(highest[2:], 16) - int(lowest[2:], 16) < MAX_NETWORKS_TRIED:
            intervals = split_by_network((low, high), family)
            return (find_network(start, family) for start, _ in intervals)
        partitions = [networks_partition(vantage)]
        if self.has_layout_1(vantage):
            partitions.append(NETWORKS_OF_LAYOUT_1)
        items = (self._table.between(pk, lowest, highest) for pk in partitions)
        return sorted({item["sk"]["S"] for partition in items for item in partition})

    def _pointed(self, partitions: Iterable[str], interval: Interval, family: int) -> Iterator[str]:
        """The addresses of the interval to which the partitions point, in order."""
        low, high = (to_hex(number, family) for number in interval)
        pointed: set[str] = set()
        for pk in partitions:
            for item in self._table.between(pk, low[:-SET_DIGITS], high):
                pointed.update(read_pointers(item))
        return map(hex_to_address, sorted(digits for digits in pointed if low <= digits <= high))


def _count_addresses(networks: Iterable[tuple[int, int, int]]) -> int:
    return sum(high - low + 1 for _, low, high in networks)


def _choose_partitions(base: str, sought: InventoryQuery) -> list[str]:
    """The partitions of a network's pointers that hold all hosts which match the query."""
    if sought.service:
        return [service_pointers(base, sought.service)]
    if sought.ports:
        return [port_pointers(base, *port) for port in sorted(sought.ports)]
    return [host_pointers(base)]
