"""The inventory in the scan table. inventory_items.py describes the items.

One transaction stores up to 50 records, each with the changes that led to it, on the condition that
the record has not changed since it was read. The items to which a record refers (pointers, pages,
sets of ports) are written before it, and those that it replaces are deleted after it. So only the
transaction decides, and the items that a failed writer leaves behind are never read.
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
    expiry_attribute,
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
    """The part of ScanTable for the inventory."""

    history_days = 0  # how long new changes are kept; 0: as long as their scan

    def __init__(self, table: DynamoTable) -> None:
        super().__init__(table)
        self._pointers, self._port_sets = HostPointers(table), PortSets(table)

    def known_hosts(self, addresses: Iterable[str]) -> dict[str, HostRecord]:
        items = get_all(self._table.name, map(host_key, dict.fromkeys(addresses)))
        records = (read_item(item, self._read_record) for item in items)
        return {record.address: record for record in records}

    def save_hosts(self, source: ReportKey, updates: Iterable[HostUpdate]) -> list[str]:
        moved: list[str] = []
        for batch in chunks(updates, MAX_TRANSACTION // 2):
            expiry = expiry_attribute(self._table.clock(), self.history_days)
            writes = [self._build_write(source, update, expiry) for update in batch]
            self._table.put_all(chain.from_iterable(write.prerequisites for write in writes))
            transactions = chunks(
                writes,
                MAX_TRANSACTION // 2,
                weigh=_HostWrite.weight,
                below=MAX_TRANSACTION_BYTES,
            )
            for transaction in transactions:
                moved += self._transact(transaction)
        return moved

    def _build_write(self, source: ReportKey, update: HostUpdate, expiry: Item) -> _HostWrite:
        record = self._port_sets.replace_ports(update.record)
        return _HostWrite(self._table.name, source, update, record, expiry)

    def _transact(self, writes: list[_HostWrite]) -> list[str]:
        """Write all records that have not changed since they were read.

        Returns the addresses of the others.
        """
        moved: list[str] = []
        while writes:
            failed = self._try_all(writes)
            if not failed:
                for write in writes:
                    self._drop_old_pages(write.update)
                break
            moved += [write.update.record.address for write in failed]
            writes = [write for write in writes if write not in failed]
        return moved

    def _try_all(self, writes: list[_HostWrite]) -> list[_HostWrite]:
        """Write all in one transaction, or nothing.

        Returns those whose condition failed. If there are any, nothing is written.
        """
        owners = [write for write in writes for _ in write.actions]
        failed = self._table.transact([action for write in writes for action in write.actions])
        return [owners[index] for index in failed]

    def known_addresses(self, family: int, low: int, high: int) -> Iterator[str]:
        return self._pointers.known_addresses(family, low, high)

    def hosts(self, sought: InventoryQuery) -> Iterator[HostRecord]:
        for addresses in chunks(self._pointers.candidates(sought), HOSTS_AT_ONCE):
            items = get_all(self._table.name, map(host_key, dict.fromkeys(addresses)))
            records = readable_items(items, self._read_record)
            by_address = {record.address: record for record in records}
            for address in addresses:
                if address in by_address and sought.fits(by_address[address]):
                    yield by_address[address]

    def note_asked(self, family: int, intervals: Iterable[Interval], asked: Sighting) -> None:
        parts = chain.from_iterable(split_by_network(interval, family) for interval in intervals)
        for items in chunks((asked_item(part, family, asked) for part in parts), MAX_TRANSACTION):
            outdated = items
            while outdated:
                newer = self._table.transact([self._put_if_newer(item) for item in outdated])
                if not newer:
                    break
                outdated = [item for index, item in enumerate(outdated) if index not in newer]

    def asked(self, family: int, low: int, high: int) -> Iterator[tuple[Interval, Sighting]]:
        for start, end in split_by_network((low, high), family):
            partition = f"network/{find_network(start, family)}"
            limit = f"asked/{to_hex(end, family)}~"
            items = self._table.between(partition, "asked/", limit)
            for interval, sighting in readable_items(items, read_asked):
                if interval[1] >= start:
                    yield interval, sighting

    def changes(self, scan_id: str, shard: int, after: str = "") -> Iterator[Change]:
        partition = changes_partition(scan_id, shard)
        start = f"{CHANGES_OF_HOST}{address_to_hex(after)}/~" if after else CHANGES_OF_HOST
        for item in self._table.between(partition, start, f"{CHANGES_OF_HOST}~"):
            yield from _readable_changes(item)
            if pages := read_pages_prefix(item):
                for page in self._table.children(partition, pages):
                    yield from _readable_changes(page)

    # ---- records and their pages

    def _read_record(self, item: Item) -> HostRecord:
        record = self._port_sets.resolve_ports(read_host(item))
        if not read_pages_prefix(item):
            return record
        for _ in tries():  # another writer may be replacing the pages as they are read
            pages = list(self._table.children(item["pk"]["S"], read_pages_prefix(item)))
            ports = tuple(port for page in map(read_ports, pages) for port in page)
            if len(pages) == int(item["page_count"]["N"]):
                return replace(record, ports=ports)
            item = self._table.get(host_key(record.address)) or item
            record = self._port_sets.resolve_ports(read_host(item))
        subject = f"the ports of {record.address}"
        raise GatewayUnavailable(f"scan table: {subject} are being replaced all the time")

    def _drop_old_pages(self, update: HostUpdate) -> None:
        """Delete the pages of earlier revisions, to which no record refers any more."""
        if not update.known or len(update.known.ports) <= PORTS_PER_PAGE:
            return
        pk = f"address/{update.record.address}"
        current = f"ports/{update.record.revision:010d}/"
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


class _HostWrite:
    """The writes of one host's update: items to put first, and the actions of a transaction."""

    def __init__(
        self,
        table: str,
        source: ReportKey,
        update: HostUpdate,
        record: HostRecord,
        expiry: Item,
    ) -> None:
        """`expiry`: the attribute of the changes that lets them expire; empty: they do not."""
        self.update = update
        token = pages_prefix(record, source)
        pages = list(port_pages(record, token)) if len(record.ports) > PORTS_PER_PAGE else []
        host = paged_host_item(record, token, len(pages)) if pages else host_item(record)
        changes: list[Item] = []
        if update.changes:
            stored_changes = changes_items(source, update.changes, record.revision)
            changes = [item | expiry for item in stored_changes]
        self.prerequisites = [*new_pointers(record, update.known), *pages, *changes[:-1]]
        self.actions = [_put_over(table, host, update.known)]
        self.actions += [{"Put": {"TableName": table, "Item": item}} for item in changes[-1:]]

    def weight(self) -> int:
        return sum(item_size(action["Put"]["Item"]) for action in self.actions)


def _put_over(table: str, item: Item, known: HostRecord | None) -> dict[str, Any]:
    """The action that stores the item, if the stored record is still the one that was read."""
    put: dict[str, Any] = {"TableName": table, "Item": item}
    if known is None:
        return {"Put": put | {"ConditionExpression": "attribute_not_exists(pk)"}}
    condition = {
        "ConditionExpression": "#revision = :revision",
        "ExpressionAttributeNames": {"#revision": "revision"},
        "ExpressionAttributeValues": {":revision": {"N": str(known.revision)}},
    }
    return {"Put": put | condition}
