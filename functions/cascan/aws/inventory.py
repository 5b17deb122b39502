"""The inventory in the scan table. inventory_items.py draws the items.

A record is stored together with the changes that led to it, on the condition that nobody changed it since it was read:
one transaction for up to 50 hosts. What the transaction needs is written before (pointers, pages, sets of ports), what
it leaves behind is deleted after; so it alone decides, and a writer that dies leaves nothing that anybody reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from msgspec.structs import replace

from cascan.aws.batch_read import get_all
from cascan.aws.boundary import chunks, tries
from cascan.aws.dynamo import MAX_TRANSACTION, MAX_TRANSACTION_BYTES, DynamoTable, TablePart
from cascan.aws.inventory_items import (
    CHANGES_OF_HOST,
    PORTS_PER_PAGE,
    REFERENCE,
    SHORT_PORTS,
    address_of,
    asked_in,
    asked_item,
    bounds_of,
    changes_in,
    changes_items,
    changes_partition,
    digest_of,
    hex_of,
    hexed,
    host_in,
    host_item,
    host_key,
    host_pointers,
    network_of,
    paged_host_item,
    pages_in,
    pages_token,
    pointers,
    port_pages,
    port_pointers,
    port_set_key,
    ports_in,
    service_pointers,
    split,
)
from cascan.aws.wire import Item, bytes_of, text_in
from cascan.errors import GatewayUnavailable
from cascan.ids import ReportKey
from cascan.model.inventory import Change, HostRecord, HostUpdate, PortCoverage, Sighting, Sought
from cascan.nmap.intervals import Interval

HOSTS_AT_ONCE = 100
MAX_PORT_SETS = 1_000  # kept in memory: one a scan, as a rule
MAX_NETWORKS_TRIED = 16  # beyond, the networks that have hosts are asked for first
MAX_ADDRESSES_TRIED = 256  # beyond, the pointers are asked which of them have a record
EVERYWHERE = ((4, 0, 2**32 - 1), (6, 0, 2**128 - 1))


class InventoryItems(TablePart):
    """The part of ScanTable that is about the inventory."""

    def __init__(self, table: DynamoTable) -> None:
        super().__init__(table)
        self._port_sets: dict[str, str] = {}  # digest → ports, of those read or written lately

    def known_hosts(self, addresses: Iterable[str]) -> dict[str, HostRecord]:
        items = get_all(self._table.name, map(host_key, dict.fromkeys(addresses)))
        return {record.address: record for record in map(self._record_in, items)}

    def save_hosts(self, source: ReportKey, updates: Iterable[HostUpdate]) -> list[str]:
        moved: list[str] = []
        for several in chunks(updates, MAX_TRANSACTION // 2):
            stored = [_Stored(self._table.name, source, update, self._referring(update)) for update in several]
            self._table.put_all(chain.from_iterable(one.beforehand for one in stored))
            for chunk in chunks(stored, MAX_TRANSACTION // 2, weigh=_Stored.weight, below=MAX_TRANSACTION_BYTES):
                moved += self._transact(chunk)
        return moved

    def _transact(self, stored: list[_Stored]) -> list[str]:
        moved: list[str] = []
        while stored:
            actions = [(one, action) for one in stored for action in one.actions]
            failed = [actions[index][0] for index in self._table.transact([action for _, action in actions])]
            if not failed:
                for one in stored:
                    self._drop_old_pages(one.update)
                return moved
            moved += [one.update.record.address for one in failed]
            stored = [one for one in stored if one not in failed]
        return moved

    def known_addresses(self, family: int, low: int, high: int) -> Iterator[str]:
        for network, interval in self._networks([(family, low, high)]):
            yield from map(address_of, self._pointed(host_pointers(network), interval, family))

    def hosts(self, sought: Sought) -> Iterator[HostRecord]:
        for addresses in chunks(self._candidates(sought), HOSTS_AT_ONCE):
            known = self.known_hosts(addresses)
            found = (known[address] for address in addresses if address in known)
            yield from (record for record in found if sought.fits(record))

    def note_asked(self, family: int, intervals: Iterable[Interval], asked: Sighting) -> None:
        pieces = (piece for interval in intervals for piece in split(interval, family))
        for chunk in chunks((asked_item(piece, family, asked) for piece in pieces), MAX_TRANSACTION):
            items = chunk
            while items and (newer := self._table.transact([self._put_if_newer(item) for item in items])):
                items = [item for index, item in enumerate(items) if index not in newer]

    def asked(self, family: int, low: int, high: int) -> Iterator[tuple[Interval, Sighting]]:
        for piece in split((low, high), family):
            notes = self._table.query(
                KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
                ExpressionAttributeValues={
                    ":pk": {"S": f"network/{network_of(piece[0], family)}"},
                    ":first": {"S": "asked/"},
                    ":last": {"S": f"asked/{hexed(piece[1], family)}~"},
                },
                ConsistentRead=True,
            )
            yield from (note for note in map(asked_in, notes) if note[0][1] >= piece[0])

    def changes(self, scan_id: str, shard: int, after: str = "") -> Iterator[Change]:
        partition = changes_partition(scan_id, shard)
        first = f"{CHANGES_OF_HOST}{hex_of(after)}/~" if after else CHANGES_OF_HOST
        for item in self._between(partition, first, f"{CHANGES_OF_HOST}~"):
            yield from changes_in(item)
            if pages := pages_in(item):
                for page in self._table.children(partition, pages):
                    yield from changes_in(page)

    # ---- records and their pages

    def _record_in(self, item: Item) -> HostRecord:
        record = self._resolved(host_in(item))
        if not pages_in(item):
            return record
        for _ in tries():  # another writer may be replacing the pages as they are read
            pages = list(self._table.children(item["pk"]["S"], pages_in(item)))
            ports = tuple(port for page in map(ports_in, pages) for port in page)
            if len(pages) == int(item["page_count"]["N"]):
                return replace(record, ports=ports)
            item = self._table.get(host_key(record.address)) or item
            record = self._resolved(host_in(item))
        raise GatewayUnavailable(f"scan table: the ports of {record.address} are being replaced all the time")

    def _drop_old_pages(self, update: HostUpdate) -> None:
        """Pages of earlier revisions, also of writers that died or came too late: nobody can make them count now."""
        if not update.known or len(update.known.ports) <= PORTS_PER_PAGE:
            return
        pk, current = f"address/{update.record.address}", f"ports/{update.record.revision:010d}/"
        for item in list(self._table.children(pk, "ports/")):
            if item["sk"]["S"] < current:
                self._table.delete({"pk": item["pk"], "sk": item["sk"]})

    def _put_if_newer(self, item: Item) -> dict[str, Any]:
        return {
            "Put": {
                "TableName": self._table.name,
                "Item": item,
                "ConditionExpression": "attribute_not_exists(pk) OR #version < :version",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":version": item["version"]},
            }
        }

    # ---- pointers

    def _candidates(self, sought: Sought) -> Iterator[str]:
        if sought.networks and sum(high - low + 1 for _, low, high in sought.networks) <= MAX_ADDRESSES_TRIED:
            for family, low, high in sorted(sought.networks):
                yield from (address_of(hexed(number, family)) for number in range(low, high + 1))
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
            yield from map(address_of, sorted(found))

    def _networks(self, networks: Iterable[tuple[int, int, int]]) -> Iterator[tuple[str, Interval]]:
        """The stored networks that the given ones touch, in order, with what of them is touched."""
        for family, low, high in sorted(networks):
            first, last = network_of(low, family), network_of(high, family)
            if int(last[2:], 16) - int(first[2:], 16) < MAX_NETWORKS_TRIED:
                names: Iterable[str] = (network_of(piece[0], family) for piece in split((low, high), family))
            else:
                names = self._stored_networks(first, last)
            for name in names:
                _, (lowest, highest) = bounds_of(name)
                yield name, (max(low, lowest), min(high, highest))

    def _stored_networks(self, first: str, last: str) -> Iterator[str]:
        return (item["sk"]["S"] for item in self._between("networks", first, last))

    def _pointed(self, pk: str, interval: Interval, family: int) -> Iterator[str]:
        low, high = (hexed(number, family) for number in interval)
        return (item["sk"]["S"] for item in self._between(pk, low, high))

    def _between(self, pk: str, first: str, last: str) -> Iterator[Item]:
        return self._table.query(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={":pk": {"S": pk}, ":first": {"S": first}, ":last": {"S": last}},
            ConsistentRead=True,
        )

    # ---- sets of ports that many hosts share

    def _referring(self, update: HostUpdate) -> HostRecord:
        """The record as it is stored: long sets of ports by their digest, stored before."""
        return _with_ports(update.record, self._kept)

    def _resolved(self, record: HostRecord) -> HostRecord:
        return _with_ports(record, self._read)

    def _kept(self, coverage: PortCoverage) -> str:
        ports = coverage.ports
        if not coverage.common or len(ports) <= SHORT_PORTS:
            return ports
        digest = digest_of(ports)
        if digest not in self._port_sets:
            self._table.put(port_set_key(digest) | {"body": {"S": ports}})
            self._remember(digest, ports)
        return REFERENCE + digest

    def _read(self, coverage: PortCoverage) -> str:
        if not coverage.ports.startswith(REFERENCE):
            return coverage.ports
        digest = coverage.ports[1:]
        if digest not in self._port_sets:
            item = self._table.get(port_set_key(digest))
            self._remember(digest, str(text_in(item["body"])) if item else "")
        return self._port_sets[digest]

    def _remember(self, digest: str, ports: str) -> None:
        if len(self._port_sets) >= MAX_PORT_SETS:
            self._port_sets.clear()
        self._port_sets[digest] = ports


class _Stored:
    """A host's update as items: what is put before the transaction, and the transaction's actions."""

    def __init__(self, table: str, source: ReportKey, update: HostUpdate, record: HostRecord) -> None:
        self.update = update
        token = pages_token(record, source)
        pages = list(port_pages(record, token)) if len(record.ports) > PORTS_PER_PAGE else []
        host = paged_host_item(record, token, len(pages)) if pages else host_item(record)
        changes = list(changes_items(source, update.changes, record.revision)) if update.changes else []
        self.beforehand = [*pointers(record, update.known), *pages, *changes[:-1]]
        self.actions = [_put_over(table, host, update.known)]
        self.actions += [{"Put": {"TableName": table, "Item": item}} for item in changes[-1:]]

    def weight(self) -> int:
        return sum(bytes_of(action["Put"]["Item"]) for action in self.actions)


def _put_over(table: str, item: Item, known: HostRecord | None) -> dict[str, Any]:
    """Put the item in the place of what was read, and of nothing else."""
    put: dict[str, Any] = {"TableName": table, "Item": item}
    if known is None:
        return {"Put": put | {"ConditionExpression": "attribute_not_exists(pk)"}}
    condition = {
        "ConditionExpression": "#revision = :revision",
        "ExpressionAttributeNames": {"#revision": "revision"},
        "ExpressionAttributeValues": {":revision": {"N": str(known.revision)}},
    }
    return {"Put": put | condition}


def _with_ports(record: HostRecord, ports: Callable[[PortCoverage], str]) -> HostRecord:
    return replace(record, coverage=tuple(replace(one, ports=ports(one)) for one in record.coverage))
