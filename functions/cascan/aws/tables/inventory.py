"""The inventory in the scan table. inventory_items.py describes the items.

A record is stored on the condition that it has not changed since it was read. A record with changes
is stored with them in a transaction, up to 50 records in one; a record without changes is stored by
itself, which costs half as much. The items to which a record refers (pointers, pages, sets of
ports) are written before it, and those that it replaces are deleted after it. So only the write of
the record decides, and the items that a failed writer leaves behind are never read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Any

from msgspec.structs import replace

from cascan.aws.boundary import chunks, tries
from cascan.aws.dynamodb.batch_read import get_all
from cascan.aws.dynamodb.pipeline import Write
from cascan.aws.dynamodb.table import MAX_TRANSACTION, MAX_TRANSACTION_BYTES, DynamoTable, TablePart
from cascan.aws.dynamodb.wire import Item, item_size, read_item, readable_items
from cascan.aws.tables.host_pointers import HostPointers
from cascan.aws.tables.inventory_items import (
    CHANGES_OF_HOST,
    PORTS_PER_PAGE,
    PortPages,
    address_to_hex,
    asked_item,
    changes_items,
    changes_partition,
    expiry_attribute,
    find_network,
    host_item,
    host_key,
    host_key_of_layout_1,
    move_item,
    pages_prefix,
    port_pages,
    read_asked,
    read_changes,
    read_host,
    read_pages_prefix,
    read_ports,
    read_times,
    split_by_network,
    to_hex,
)
from cascan.aws.tables.pointer_items import (
    Pointer,
    find_record_network,
    merge_pointers,
    network_item,
    new_pointers,
)
from cascan.aws.tables.port_sets import PortSets
from cascan.aws.tables.vantage_keys import network_partition
from cascan.errors import GatewayUnavailable
from cascan.ids import ReportKey
from cascan.model.inventory import Change, ChangeKind, FirstSeen, HostRecord, HostUpdate, InventoryQuery, Sighting
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.nmap.intervals import Interval

HOSTS_AT_ONCE = 100
SAVED_AT_ONCE = 256  # records, whose pointers are merged


class InventoryItems(TablePart):
    """The part of ScanTable for the inventory."""

    history_days = 0  # how long new changes are kept; 0: as long as their scan

    def __init__(self, table: DynamoTable) -> None:
        super().__init__(table)
        self._pointers, self._port_sets = HostPointers(table), PortSets(table)

    def known_hosts(self, addresses: Iterable[str], *, vantage: str = DEFAULT_VANTAGE) -> dict[str, HostRecord]:
        items = self._host_items(addresses, vantage)
        records = (read_item(item, self._read_record) for item in items)
        return {record.key: record for record in records}

    def first_seen(self, addresses: Iterable[str], *, vantage: str = DEFAULT_VANTAGE) -> dict[str, FirstSeen]:
        items = self._host_items(addresses, vantage)
        return {_address_of(item): read_item(item, self._read_times) for item in items}

    def _read_times(self, item: Item) -> FirstSeen:
        return self._read_record(item).times if read_pages_prefix(item) else read_times(item)

    def _host_items(self, addresses: Iterable[str], vantage: str) -> Iterator[Item]:
        """The items of the records that exist, in no particular order."""
        missing = dict.fromkeys(addresses)
        places: list[Callable[[str], Item]] = [partial(host_key, vantage=vantage)]
        if self._pointers.has_layout_1(vantage):
            # Again in layout 2 at the end: a record may be migrated while it is read
            places += [host_key_of_layout_1, places[0]]
        for place in places:
            for item in get_all(self._table.name, map(place, list(missing))):
                del missing[_address_of(item)]
                yield item

    def save_hosts(
        self, source: ReportKey, updates: Iterable[HostUpdate], *, vantage: str = DEFAULT_VANTAGE
    ) -> list[str]:
        moved: list[str] = []
        for batch in chunks(updates, SAVED_AT_ONCE):
            expiry = expiry_attribute(self._table.clock(), self.history_days)
            writes = [self._build_write(source, update, vantage, expiry) for update in batch]
            self._put_pointers([write.update for write in writes], vantage)
            self._table.put_all(chain.from_iterable(write.prerequisites for write in writes))
            moved += self._put_unchanged([write for write in writes if len(write.actions) == 1])
            with_changes = [write for write in writes if len(write.actions) > 1]
            transactions = chunks(
                with_changes,
                MAX_TRANSACTION // max((len(write.actions) for write in with_changes), default=1),
                weigh=_HostWrite.weight,
                below=MAX_TRANSACTION_BYTES,
            )
            for transaction in transactions:
                moved += self._transact(transaction)
        return moved

    def _build_write(self, source: ReportKey, update: HostUpdate, vantage: str, expiry: Item) -> _HostWrite:
        record = self._port_sets.replace_ports(update.record)
        return _HostWrite(self._table.name, source, update, record, vantage=vantage, expiry=expiry)

    def _put_pointers(self, updates: Iterable[HostUpdate], vantage: str) -> None:
        """Store the pointers to the records that their previous revisions did not need."""
        pointers: list[Pointer] = []
        networks: dict[str, Item] = {}
        for update in updates:
            if update.record.places:  # an identity is found by itself, and its addresses by theirs
                continue
            network = find_record_network(update.record)
            base = network_partition(network, vantage)
            pointers += new_pointers(update.record, update.known, base)
            if update.known is None:
                networks[network] = network_item(network, vantage)
        items, additions = merge_pointers(self._table.name, pointers)
        self._table.put_all(chain(networks.values(), items))
        self._table.write_each(additions)

    def _put_unchanged(self, writes: list[_HostWrite]) -> list[str]:
        """Write the records that have not changed since they were read, each by itself.

        Returns the addresses of the others.
        """
        puts = [Write("PutItem", write.actions[0]["Put"]) for write in writes]
        moved: list[str] = []
        for write, held in zip(writes, self._table.write_each(puts), strict=True):
            if held:
                self._drop_old_pages(write)
            else:
                moved.append(write.update.record.key)
        return moved

    def _transact(self, writes: list[_HostWrite]) -> list[str]:
        """Write all records that have not changed since they were read.

        Returns the addresses of the others.
        """
        moved: list[str] = []
        while writes:
            failed = self._try_all(writes)
            if not failed:
                for write in writes:
                    self._drop_old_pages(write)
                break
            moved += [write.update.record.key for write in failed]
            writes = [write for write in writes if write not in failed]
        return moved

    def _try_all(self, writes: list[_HostWrite]) -> list[_HostWrite]:
        """Write all in one transaction, or nothing.

        Returns those whose condition failed. If there are any, nothing is written.
        """
        owners = [write for write in writes for _ in write.actions]
        failed = self._table.transact([action for write in writes for action in write.actions])
        return [owners[index] for index in failed]

    def known_addresses(self, family: int, low: int, high: int, *, vantage: str = DEFAULT_VANTAGE) -> Iterator[str]:
        return self._pointers.known_addresses(family, low, high, vantage)

    def hosts(self, sought: InventoryQuery, *, vantage: str = DEFAULT_VANTAGE) -> Iterator[HostRecord]:
        for addresses in chunks(self._pointers.candidates(sought, vantage), HOSTS_AT_ONCE):
            records = readable_items(self._host_items(addresses, vantage), self._read_record)
            by_address = {record.address: record for record in records}
            for address in addresses:
                if address in by_address and sought.fits(by_address[address]):
                    yield by_address[address]

    def note_asked(
        self,
        family: int,
        intervals: Iterable[Interval],
        asked: Sighting,
        *,
        vantage: str = DEFAULT_VANTAGE,
    ) -> None:
        parts = chain.from_iterable(split_by_network(interval, family) for interval in intervals)
        items = (asked_item(part, family, asked, vantage) for part in parts)
        self._table.write_each(put_if_newer(self._table.name, item) for item in items)

    def asked(
        self, family: int, low: int, high: int, *, vantage: str = DEFAULT_VANTAGE
    ) -> Iterator[tuple[Interval, Sighting]]:
        for start, end in split_by_network((low, high), family):
            network = find_network(start, family)
            latest: dict[Interval, Sighting] = {}
            partitions = [network_partition(network, vantage)]
            if self._pointers.has_layout_1(vantage):
                partitions.append(f"network/{network}")
            for partition in partitions:
                limit = f"asked/{to_hex(end, family)}~"
                items = self._table.between(partition, "asked/", limit)
                for interval, sighting in readable_items(items, read_asked):
                    known = latest.setdefault(interval, sighting)
                    latest[interval] = max(known, sighting, key=lambda seen: seen.order)
            yield from ((part, latest[part]) for part in sorted(latest) if part[1] >= start)

    def needs_migration(self) -> bool:
        return self._pointers.has_layout_1(DEFAULT_VANTAGE)

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
            item = self._table.get({"pk": item["pk"], "sk": item["sk"]}) or item
            record = self._port_sets.resolve_ports(read_host(item))
        subject = f"the ports of {record.address}"
        raise GatewayUnavailable(f"scan table: {subject} are being replaced all the time")

    def _drop_old_pages(self, write: _HostWrite) -> None:
        """Delete the pages of earlier revisions, to which no record refers any more."""
        update = write.update
        if not update.known or len(update.known.ports) <= PORTS_PER_PAGE:
            return
        pk = write.host["pk"]["S"]
        current = f"ports/{update.record.revision:010d}/"
        for item in list(self._table.children(pk, "ports/")):
            if item["sk"]["S"] < current:
                self._table.delete({"pk": item["pk"], "sk": item["sk"]})


def put_if_newer(table: str, item: Item) -> Write:
    """The write that stores the item, unless the stored one has a newer version."""
    request = {
        "TableName": table,
        "Item": item,
        "ConditionExpression": "attribute_not_exists(pk) OR #version < :version",
        "ExpressionAttributeNames": {"#version": "version"},
        "ExpressionAttributeValues": {":version": item["version"]},
    }
    return Write("PutItem", request)


def _address_of(item: Item) -> str:
    return str(item["pk"]["S"]).rpartition("/")[2]


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
        *,
        vantage: str,
        expiry: Item,
    ) -> None:
        """`expiry`: the attribute of the changes that lets them expire; empty: they do not."""
        self.update = update
        prefix = pages_prefix(record, source)
        pages: list[Item] = []
        if len(record.ports) > PORTS_PER_PAGE:
            pages = list(port_pages(record, prefix, vantage))
        listed = PortPages(prefix, len(pages)) if pages else None
        self.host = host_item(record, vantage, listed)
        moves = [change for change in update.changes if change.kind is ChangeKind.HOST_MOVED]
        others = tuple(change for change in update.changes if change.kind is not ChangeKind.HOST_MOVED)
        changes: list[Item] = []
        if others:
            identity = record.identity if record.places else ""
            stored_changes = changes_items(source, others, record.revision, identity)
            changes = [item | expiry for item in stored_changes]
        stored_moves = [move_item(source, move) | expiry for move in moves[:1]]
        self.prerequisites = [*pages, *changes[:-1]]
        self.actions = [_put_over(table, self.host, update.known)]
        with_record = [*changes[-1:], *stored_moves]
        self.actions += [{"Put": {"TableName": table, "Item": item}} for item in with_record]

    def weight(self) -> int:
        return sum(item_size(action["Put"]["Item"]) for action in self.actions)


def _put_over(table: str, item: Item, known: HostRecord | None) -> dict[str, Any]:
    """The action that stores the item, if the stored record is still the one that was read."""
    put: dict[str, Any] = {"TableName": table, "Item": item}
    if known is None:
        return {"Put": put | {"ConditionExpression": "attribute_not_exists(pk)"}}
    condition = {
        # A record of layout 1 that was read does not exist in layout 2
        "ConditionExpression": "attribute_not_exists(pk) OR #revision = :revision",
        "ExpressionAttributeNames": {"#revision": "revision"},
        "ExpressionAttributeValues": {":revision": {"N": str(known.revision)}},
    }
    return {"Put": put | condition}
