"""The inventory in the scan table. inventory_items.py draws the items.

A record is stored together with the changes that led to it, on the condition that nobody changed it since it was read:
one transaction for up to 50 hosts. What the transaction needs is written before (pointers, pages, sets of ports), what
it leaves behind is deleted after; so it alone decides, and a writer that dies leaves nothing that anybody reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from msgspec.structs import replace

from cascan.aws.boundary import chunks, tries
from cascan.aws.dynamodb.batch_read import get_all
from cascan.aws.dynamodb.table import MAX_TRANSACTION, MAX_TRANSACTION_BYTES, DynamoTable, TablePart
from cascan.aws.dynamodb.wire import Item, item_size, read_item, readable_items
from cascan.aws.tables.host_pointers import HostPointers
from cascan.aws.tables.inventory_items import (
    CHANGES_OF_HOST,
    PORTS_PER_PAGE,
    address_to_hex,
    asked_item,
    changes_items,
    changes_partition,
    find_network,
    host_item,
    host_key,
    new_pointers,
    paged_host_item,
    pages_prefix,
    port_pages,
    read_asked,
    read_changes,
    read_host,
    read_pages_prefix,
    read_ports,
    split_by_network,
    to_hex,
)
from cascan.aws.tables.port_sets import PortSets
from cascan.errors import GatewayUnavailable
from cascan.ids import ReportKey
from cascan.model.inventory import Change, HostRecord, HostUpdate, InventoryQuery, Sighting
from cascan.nmap.intervals import Interval

HOSTS_AT_ONCE = 100


class InventoryItems(TablePart):
    """The part of ScanTable that is about the inventory."""

    def __init__(self, table: DynamoTable) -> None:
        super().__init__(table)
        self._pointers, self._port_sets = HostPointers(table), PortSets(table)

    def known_hosts(self, addresses: Iterable[str]) -> dict[str, HostRecord]:
        items = get_all(self._table.name, map(host_key, dict.fromkeys(addresses)))
        return {record.address: record for record in (read_item(item, self._record_in) for item in items)}

    def save_hosts(self, source: ReportKey, updates: Iterable[HostUpdate]) -> list[str]:
        moved: list[str] = []
        for several in chunks(updates, MAX_TRANSACTION // 2):
            stored = [self._as_stored(source, update) for update in several]
            self._table.put_all(chain.from_iterable(one.beforehand for one in stored))
            for chunk in chunks(stored, MAX_TRANSACTION // 2, weigh=_Stored.weight, below=MAX_TRANSACTION_BYTES):
                moved += self._transact(chunk)
        return moved

    def _as_stored(self, source: ReportKey, update: HostUpdate) -> _Stored:
        return _Stored(self._table.name, source, update, self._port_sets.referring(update.record))

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
        return self._pointers.known_addresses(family, low, high)

    def hosts(self, sought: InventoryQuery) -> Iterator[HostRecord]:
        for addresses in chunks(self._pointers.candidates(sought), HOSTS_AT_ONCE):
            items = get_all(self._table.name, map(host_key, dict.fromkeys(addresses)))
            known = {record.address: record for record in readable_items(items, self._record_in)}
            found = (known[address] for address in addresses if address in known)
            yield from (record for record in found if sought.fits(record))

    def note_asked(self, family: int, intervals: Iterable[Interval], asked: Sighting) -> None:
        pieces = (piece for interval in intervals for piece in split_by_network(interval, family))
        for chunk in chunks((asked_item(piece, family, asked) for piece in pieces), MAX_TRANSACTION):
            items = chunk
            while items and (newer := self._table.transact([self._put_if_newer(item) for item in items])):
                items = [item for index, item in enumerate(items) if index not in newer]

    def asked(self, family: int, low: int, high: int) -> Iterator[tuple[Interval, Sighting]]:
        for piece in split_by_network((low, high), family):
            pk, last = f"network/{find_network(piece[0], family)}", f"asked/{to_hex(piece[1], family)}~"
            notes = self._table.between(pk, "asked/", last)
            yield from (note for note in readable_items(notes, read_asked) if note[0][1] >= piece[0])

    def changes(self, scan_id: str, shard: int, after: str = "") -> Iterator[Change]:
        partition = changes_partition(scan_id, shard)
        first = f"{CHANGES_OF_HOST}{address_to_hex(after)}/~" if after else CHANGES_OF_HOST
        for item in self._table.between(partition, first, f"{CHANGES_OF_HOST}~"):
            yield from _readable_changes(item)
            if pages := read_pages_prefix(item):
                for page in self._table.children(partition, pages):
                    yield from _readable_changes(page)

    # ---- records and their pages

    def _record_in(self, item: Item) -> HostRecord:
        record = self._port_sets.resolved(read_host(item))
        if not read_pages_prefix(item):
            return record
        for _ in tries():  # another writer may be replacing the pages as they are read
            pages = list(self._table.children(item["pk"]["S"], read_pages_prefix(item)))
            ports = tuple(port for page in map(read_ports, pages) for port in page)
            if len(pages) == int(item["page_count"]["N"]):
                return replace(record, ports=ports)
            item = self._table.get(host_key(record.address)) or item
            record = self._port_sets.resolved(read_host(item))
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


def _readable_changes(item: Item) -> Iterator[Change]:
    for changes in readable_items([item], read_changes):
        yield from changes


class _Stored:
    """A host's update as items: what is put before the transaction, and the transaction's actions."""

    def __init__(self, table: str, source: ReportKey, update: HostUpdate, record: HostRecord) -> None:
        self.update = update
        token = pages_prefix(record, source)
        pages = list(port_pages(record, token)) if len(record.ports) > PORTS_PER_PAGE else []
        host = paged_host_item(record, token, len(pages)) if pages else host_item(record)
        changes = list(changes_items(source, update.changes, record.revision)) if update.changes else []
        self.beforehand = [*new_pointers(record, update.known), *pages, *changes[:-1]]
        self.actions = [_put_over(table, host, update.known)]
        self.actions += [{"Put": {"TableName": table, "Item": item}} for item in changes[-1:]]

    def weight(self) -> int:
        return sum(item_size(action["Put"]["Item"]) for action in self.actions)


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
