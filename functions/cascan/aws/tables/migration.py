"""Move what earlier versions stored to layout 2: the findings of ended scans, and the inventory.

A part is copied first, then readers are switched, then the original is deleted. A copy that is
repeated writes the same items, so the migration may end anywhere and be repeated. It runs beside
the functions of the stack:

- A record of layout 1 is only copied where layout 2 has none; what a report stored there is newer.
- The list of networks of layout 1 is deleted last. Until then, layout 1 is read beside layout 2.
- A scan keeps its findings in layout 1 until it has ended an hour ago: then no function that began
  earlier still writes any.

After each page of the table, a cursor says how far it was read, so that a stopped migration goes on
there. Without a cursor, or with an old one, it begins again, and finds less to move. Of two migrations
at the same time, one keeps the cursor.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import chain, groupby
from operator import itemgetter
from tempfile import TemporaryDirectory
from typing import Any, Self

from cascan.aws.dynamodb.pipeline import Write
from cascan.aws.dynamodb.table import DynamoTable
from cascan.aws.dynamodb.wire import Item, add_body, build_key, unpack_body
from cascan.aws.tables.finding_items import (
    findings_partitions,
    host_items,
    hosts_partitions,
    read_finding,
)
from cascan.aws.tables.host_pointers import NETWORKS_OF_LAYOUT_1
from cascan.aws.tables.inventory import put_if_newer
from cascan.aws.tables.items import (
    LAYOUT,
    ScanLayout,
    migration_cursor_item,
    migration_cursor_key,
    read_layout,
    read_migration_cursor,
)
from cascan.aws.tables.pointer_items import Pointer, merge_pointers, network_item
from cascan.aws.tables.vantage_keys import host_partition, network_partition
from cascan.findings.by_host import address_key, find_address
from cascan.model.finding import FindingLine, HostFindings
from cascan.model.migration import MigrationCursor, MigrationResult, TellMigration
from cascan.model.scan import FINAL_STATES
from cascan.stored import DAMAGE

ENDED_BEFORE = timedelta(hours=1)  # no function runs longer than 15 minutes
CURSOR_LIFE = timedelta(days=1)  # what an earlier version stores behind the cursor is left for another migration
HOSTS, NETWORKS, SCANS = "address/", "network/", "scan/"
OF_LAYOUT_1: dict[str, Any] = {
    "FilterExpression": (
        "begins_with(pk, :hosts) OR begins_with(pk, :ipv4) OR begins_with(pk, :ipv6)"
        " OR (begins_with(pk, :scans) AND sk = :scan)"
    ),
    "ExpressionAttributeValues": {
        ":hosts": {"S": HOSTS},
        ":ipv4": {"S": f"{NETWORKS}4."},
        ":ipv6": {"S": f"{NETWORKS}6."},
        ":scans": {"S": SCANS},
        ":scan": {"S": "scan"},
    },
}


class LayoutMigration:
    """Moves one table to layout 2."""

    def __init__(self, table: DynamoTable, tell: TellMigration = lambda _: None) -> None:
        self._table = table
        self._tell = tell
        self._result = MigrationResult()
        self._cursor_version = 0  # of the stored cursor
        self._keeps_cursor = True

    def run(self) -> MigrationResult:
        """Move everything that can be moved now.

        Raises: GatewayUnavailable: the table failed to answer; repeat the migration.
        """
        for page in self._table.scan_all(self._find_start(), **OF_LAYOUT_1):
            self._move_page(page.items)
            self._tell(self._result)
            if page.end:
                self._save_cursor(page.end)
        self._move_networks()
        if self._keeps_cursor:
            self._table.delete(migration_cursor_key())
        return self._result

    def _find_start(self) -> Item | None:
        """The key after which a stopped migration goes on. None: it begins at the beginning."""
        item = self._table.get(migration_cursor_key())
        if item is None:
            return None
        try:
            cursor = read_migration_cursor(item)
        except DAMAGE:
            self._table.delete(migration_cursor_key())
            return None
        self._cursor_version = cursor.version
        if self._table.clock() - cursor.saved_at > CURSOR_LIFE:
            return None
        self._result = cursor.result
        return build_key(cursor.pk, cursor.sk)

    def _save_cursor(self, after: Item) -> None:
        if not self._keeps_cursor:
            return
        cursor = MigrationCursor(
            version=self._cursor_version + 1,
            saved_at=self._table.clock(),
            pk=after["pk"]["S"],
            sk=after["sk"]["S"],
            result=self._result,
        )
        self._keeps_cursor = self._table.put_version(migration_cursor_item(cursor), cursor.version)
        self._cursor_version = cursor.version

    def _move_page(self, items: list[Item]) -> None:
        hosts: list[Item] = []
        pointers: list[Item] = []
        notes: list[Item] = []
        for item in items:
            pk, sk = item["pk"]["S"], item["sk"]["S"]
            if pk.startswith(SCANS):
                self._move_findings(item)
            elif pk.startswith(HOSTS):
                hosts.append(item)
            else:
                (notes if sk.startswith("asked/") else pointers).append(item)
        # A record is found by its pointers, so they come first
        self._move_pointers(pointers)
        self._move_notes(notes)
        self._move_hosts(hosts)

    # ---- the inventory

    def _move_pointers(self, items: list[Item]) -> None:
        moved = [Pointer(_move_network_key(item["pk"]["S"]), item["sk"]["S"]) for item in items]
        single, additions = merge_pointers(self._table.name, moved)
        self._table.put_all(single)
        self._table.write_each(additions)
        self._delete(items)

    def _move_notes(self, items: list[Item]) -> None:
        moved = [item | {"pk": {"S": _move_network_key(item["pk"]["S"])}} for item in items]
        self._table.write_each(put_if_newer(self._table.name, item) for item in moved)
        self._delete(items)

    def _move_hosts(self, items: list[Item]) -> None:
        """Copy records, unless layout 2 has a newer one. Their pages are copied before them."""
        records = [item for item in items if item["sk"]["S"] == "host"]
        pages: list[Item] = []
        for item in records:
            if "pages" in item:
                pages += self._table.children(item["pk"]["S"], item["pages"]["S"])
        self._table.put_all(map(_move_host, pages))
        self._table.write_each(map(self._put_if_absent, map(_move_host, records)))
        self._delete([*items, *pages])
        self._result.hosts += len(records)

    def _put_if_absent(self, item: Item) -> Write:
        condition = "attribute_not_exists(pk)"
        request = {"TableName": self._table.name, "Item": item, "ConditionExpression": condition}
        return Write("PutItem", request)

    def _move_networks(self) -> None:
        """Move the list of networks; from then on, layout 1 is not read any more."""
        items = list(self._table.keys(NETWORKS_OF_LAYOUT_1))
        self._table.put_all(network_item(item["sk"]["S"]) for item in items)
        self._delete(items)
        self._result.networks += len(items)

    def _delete(self, items: Iterable[Item]) -> None:
        keys = {(item["pk"]["S"], item["sk"]["S"]): _key_of(item) for item in items}
        self._table.delete_all(keys.values())

    # ---- findings

    def _move_findings(self, scan: Item) -> None:
        layout = read_layout(scan)
        scan_id = scan["pk"]["S"].removeprefix(SCANS)
        if layout.findings < LAYOUT:
            if not _has_ended(scan, self._table.clock()):
                self._result.open += 1
                return
            self._copy_findings(scan_id, layout)
            if not self._switch(scan):  # it was removed meanwhile
                for partition in hosts_partitions(scan_id, layout.spread):
                    self._table.delete_all(self._table.keys(partition))
                return
            self._result.scans += 1
        elif not layout.has_earlier_findings:
            return
        for partition in findings_partitions(scan_id, layout.spread):
            self._table.delete_all(self._table.keys(partition))
        self._table.update(
            _key_of(scan),
            "REMOVE #earlier_findings",
            when="attribute_exists(pk) AND #findings_layout = :layout",
            values={":layout": {"N": str(LAYOUT)}},
        )

    def _switch(self, scan: Item) -> bool:
        """Let readers of the scan's findings read layout 2. False: the scan was removed."""
        values: Item = {":layout": {"N": str(LAYOUT)}, ":yes": {"BOOL": True}}
        change = "SET #findings_layout = :layout, #earlier_findings = :yes"
        return bool(self._table.update(_key_of(scan), change, when="attribute_exists(pk)", values=values))

    def _copy_findings(self, scan_id: str, layout: ScanLayout) -> None:
        """Copy the findings, which are in order of their ids, in order of their hosts."""
        with SortedFindings() as findings:
            for partition in findings_partitions(scan_id, layout.spread):
                for item in self._table.partition(partition):
                    self._sort(findings, item, scan_id, layout.spread)
            hosts = findings.hosts()
            self._table.put_all(item for host in hosts for item in host_items(scan_id, host, layout.spread))
            self._result.findings += findings.count

    def _sort(self, findings: SortedFindings, item: Item, scan_id: str, spread: int) -> None:
        try:
            text = unpack_body(item)
            address = find_address(read_finding(item))
        except DAMAGE:
            self._result.unreadable += 1
            self._table.put(_move_unreadable(item, scan_id, spread))
        else:
            findings.add(address, item["sk"]["S"], text if isinstance(text, bytes) else text.encode())


class SortedFindings:
    """Findings in order of their hosts: in a file, since a scan may have more than memory holds."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Self:
        self._folder = TemporaryDirectory(prefix="cascan-migrate-")
        self._database = sqlite3.connect(f"{self._folder.name}/findings", isolation_level=None)
        columns = "host TEXT, id TEXT, address TEXT, line BLOB, PRIMARY KEY (host, id)"
        for statement in ("PRAGMA synchronous = OFF", f"CREATE TABLE findings ({columns}) WITHOUT ROWID", "BEGIN"):
            self._database.execute(statement)
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()
        self._folder.cleanup()

    def add(self, address: str, finding_id: str, line: bytes) -> None:
        self.count += 1
        row = (address_key(address), finding_id, address, line)
        self._database.execute("INSERT OR REPLACE INTO findings VALUES (?, ?, ?, ?)", row)

    def hosts(self) -> Iterator[HostFindings]:
        """The findings of each host, by address. They have to be read before the next host."""
        rows = self._database.execute("SELECT host, id, address, line FROM findings ORDER BY host, id")
        for _, group in groupby(rows, key=itemgetter(0)):
            first = next(group)
            lines = (FindingLine(row[1], "", "", row[3]) for row in chain((first,), group))
            yield HostFindings(first[2], lines)


def _has_ended(scan: Item, now: datetime) -> bool:
    """Whether the scan has ended so long ago that no function writes findings of it any more."""
    if scan["state"]["S"] not in FINAL_STATES:
        return False
    ended_at = scan["finished_at"]["S"] if "finished_at" in scan else scan["listed_at"]["S"].partition("#")[0]
    return datetime.fromisoformat(ended_at) + ENDED_BEFORE <= now


def _move_host(item: Item) -> Item:
    """A record or a page of one, under the vantage; packed, if it can be read."""
    pk = host_partition(item["pk"]["S"].removeprefix(HOSTS))
    moved = item | {"pk": {"S": pk}}
    with suppress(*DAMAGE):
        text = unpack_body(item)
        del moved["body"]
        return add_body(moved, text if isinstance(text, bytes) else text.encode())
    return item | {"pk": {"S": pk}}


def _move_network_key(pk: str) -> str:
    """`network/4.0a00/tcp/22` → `network/default/4.0a00/tcp/22`."""
    network, slash, about = pk.removeprefix(NETWORKS).partition("/")
    return f"{network_partition(network)}{slash}{about}"


def _move_unreadable(item: Item, scan_id: str, spread: int) -> Item:
    """A damaged finding, as it is: readers log it and skip it, as before."""
    key = build_key(next(hosts_partitions(scan_id, spread)), f"~{item['sk']['S']}/000000.0000/000000000000/0000")
    return key | {"body": item["body"]} if "body" in item else key


def _key_of(item: Item) -> Item:
    return {"pk": item["pk"], "sk": item["sk"]}
