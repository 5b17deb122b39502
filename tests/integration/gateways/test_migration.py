"""`cascan migrate`: what earlier versions stored is moved to layout 2, once, whatever dies in between."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.json import encode
from msgspec.structs import replace

from cascan.aws import clients
from cascan.aws.dynamodb import connection_pool
from cascan.aws.dynamodb.table import DynamoTable
from cascan.aws.dynamodb.wire import Item, build_key
from cascan.aws.tables import migration
from cascan.aws.tables.finding_items import finding_item
from cascan.aws.tables.items import migration_cursor_key, scan_key
from cascan.aws.tables.migration import LayoutMigration
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.ids import ReportKey, derive_finding_id, derive_scan_id
from cascan.model.finding import Finding
from cascan.model.inventory import HostRecord, InventoryQuery
from cascan.model.migration import MigrationResult
from cascan.model.scan import Outcome, ScanState
from tests.integration.gateways.conftest import TABLE
from tests.integration.gateways.examples import AT, SCAN_ID, a_finding, a_host, a_port, a_scan, a_sighting, an_update
from tests.integration.gateways.test_inventory_items import all_items, put, put_in_layout_1

STATES = Path(__file__).parents[2] / "data" / "states"
LATER = datetime(2100, 1, 1, tzinfo=UTC)
SOURCE = ReportKey(SCAN_ID, 3, 2)
WIDE, RUNNING = derive_scan_id("wide"), derive_scan_id("running")
NOT_UP = a_sighting(state="not up")
PAGED = a_host("10.1.0.1", ports=tuple(a_port(number) for number in range(1, 1_100)), revision=3)
ASKED: Item = {"body": {"S": encode(NOT_UP).decode()}, "version": {"S": "2026"}}
MAX_CALLS = 60  # that the migration of a few items may take
HOSTS = [*(a_host(f"10.0.{n % 3}.{n}", revision=n) for n in range(1, 8)), PAGED]


def migrate(now: datetime = LATER, table: str = TABLE) -> MigrationResult:
    return LayoutMigration(DynamoTable(table, lambda: now)).run()


def a_finding_of(scan_id: str, number: int) -> Finding:
    address = f"10.0.{number % 7}.{number % 11}" if number % 5 else f"2001:db8::{number:x}"
    fingerprint = f"{number:032x}"
    finding = a_finding(attributes={"ip_addresses": [address], "port": number})
    return replace(finding, id=derive_finding_id(scan_id, fingerprint), fingerprint=fingerprint)


def put_scan(scan_id: str, spread: int, findings: int, **changes: Any) -> None:
    """A scan as an earlier version stored it, with its findings."""
    ended = {"state": ScanState.DONE, "outcome": Outcome.COMPLETE, "finished_at": AT} | changes
    DynamoScanTable(TABLE).create_scan(replace(a_scan(), scan_id=scan_id, **ended))
    clients.dynamodb().update_item(
        TableName=TABLE,
        Key=scan_key(scan_id),
        UpdateExpression="SET spread = :spread REMOVE layout",
        ExpressionAttributeValues={":spread": {"N": str(spread)}},
    )
    put(*(finding_item(scan_id, a_finding_of(scan_id, n), spread) for n in range(findings)))


def put_paged(record: HostRecord) -> None:
    put_in_layout_1(replace(record, ports=record.ports[:1]))
    body = {"S": encode(replace(record, ports=())).decode()}
    address, prefix = f"address/{record.address}", f"ports/{record.revision:010d}/x/"
    pages = {"pages": {"S": prefix}, "page_count": {"N": "2"}}
    put(build_key(address, "host") | {"body": body, "revision": {"N": str(record.revision)}} | pages)
    for number, ports in enumerate((record.ports[:1_024], record.ports[1_024:])):
        put(build_key(address, f"{prefix}{number:03d}") | {"body": {"S": encode(ports).decode()}})


def put_everything() -> None:
    """What layout 1 had: records, pages, pointers, notes, scans of each spread, one that still runs."""
    for record in HOSTS:
        put_paged(record) if len(record.ports) > 1_024 else put_in_layout_1(record)
    put(build_key("network/4.0b00", "asked/0b000000-0b0000ff") | ASKED)
    put_scan(SCAN_ID, 0, 30)
    put_scan(WIDE, 1, 40)
    put_scan(RUNNING, 0, 5, state=ScanState.SCANNING, outcome=None, finished_at=None)


def read_everything() -> dict[str, Any]:
    table = DynamoScanTable(TABLE)
    low = 11 << 24
    return {
        "hosts": list(table.hosts(InventoryQuery())),
        "by port": [host.address for host in table.hosts(InventoryQuery(ports=frozenset({("tcp", 22)})))],
        "asked": list(table.asked(4, low, low + 9)),
        "findings": {
            scan_id: sorted(table.findings(scan_id), key=lambda finding: finding.id)
            for scan_id in (SCAN_ID, WIDE, RUNNING)
        },
    }


def left_of_layout_1() -> list[tuple[str, str]]:
    old = ("address/", "network/4.", "network/6.", f"findings/{SCAN_ID}", f"findings/{WIDE}")
    keys = [(item["pk"]["S"], item["sk"]["S"]) for item in all_items()]
    return [key for key in keys if key[0] == "networks" or (key[0].startswith(old) and "/hosts" not in key[0])]


def test_everything_is_moved_and_reads_as_before(dynamo_table: DynamoScanTable) -> None:
    put_everything()
    before = read_everything()
    result = migrate()
    assert result == MigrationResult(hosts=8, networks=2, scans=2, findings=70, open=1)
    assert read_everything() == before
    assert left_of_layout_1() == []
    assert len(before["hosts"]) == 8
    assert len(before["findings"][WIDE]) == 40
    assert migrate() == MigrationResult(open=1)


def test_migrated_findings_are_in_order_of_address(dynamo_table: DynamoScanTable) -> None:
    put_scan(WIDE, 1, 40)
    migrate()
    stored = [finding.attributes["ip_addresses"][0] for finding in dynamo_table.findings(WIDE)]
    ipv4 = sorted((a for a in stored if "." in a), key=lambda a: tuple(map(int, a.split("."))))
    assert stored == [*ipv4, *sorted((a for a in stored if ":" in a), key=lambda a: int(a.rpartition(":")[2], 16))]


def test_a_scan_is_moved_an_hour_after_its_end(dynamo_table: DynamoScanTable) -> None:
    put_scan(SCAN_ID, 0, 3)
    assert migrate(AT + timedelta(minutes=59)).open == 1
    assert migrate(AT + timedelta(minutes=60)).scans == 1


def test_a_migrated_scan_is_removed_whole(dynamo_table: DynamoScanTable) -> None:
    put_scan(WIDE, 1, 40)
    migrate()
    assert dynamo_table.remove_scan(WIDE, 1_000)
    assert all_items() == []


def test_a_record_that_a_report_stored_meanwhile_is_kept(dynamo_table: DynamoScanTable) -> None:
    put_everything()
    (known,) = dynamo_table.known_hosts(["10.0.1.1"]).values()
    newer = replace(known, revision=known.revision + 1, hostname="newer")
    assert dynamo_table.save_hosts(SOURCE, [an_update(newer, known)]) == []
    migrate()
    assert dynamo_table.known_hosts(["10.0.1.1"]) == {"10.0.1.1": newer}


def test_a_damaged_finding_is_moved_as_it_is_and_stays_unreadable(dynamo_table: DynamoScanTable) -> None:
    put_scan(WIDE, 1, 4)
    damaged = finding_item(WIDE, a_finding_of(WIDE, 9), 1)
    put(damaged | {"body": {"B": b"damaged"}})
    assert migrate().unreadable == 1
    assert len(list(dynamo_table.findings(WIDE))) == 4
    assert left_of_layout_1() == []
    assert dynamo_table.remove_scan(WIDE, 1_000)
    assert all_items() == []


@pytest.mark.parametrize("version", ["0.1.0", "layout-1"])
def test_what_an_earlier_version_stored_is_moved(dynamo_table: DynamoScanTable, version: str) -> None:
    def binary(value: Any) -> Any:
        return {"B": base64.b64decode(value["B"])} if "B" in value else value

    for line in (STATES / version / "items.jsonl").read_text().splitlines():
        put({name: binary(value) for name, value in json.loads(line).items()})
    scans = list(dynamo_table.list_scans(10))

    def read() -> Any:
        table = DynamoScanTable(TABLE)
        findings = [sorted(table.findings(scan.scan_id), key=lambda finding: finding.id) for scan in scans]
        return list(table.hosts(InventoryQuery())), findings

    before = read()
    result = migrate()
    assert (result.hosts, result.open, result.unreadable) == (2, 1, 0)
    assert result.findings > 0
    assert read() == before
    old = [item for item in all_items() if item["pk"]["S"].startswith(("address/", "network/4.", "networks"))]
    assert [item["pk"]["S"] for item in old if item["pk"]["S"] != "networks/default"] == []


class Killed(BaseException):
    """The process ends here."""


@contextmanager
def killed_before(call: int) -> Iterator[None]:
    """Ends the process before the call to DynamoDB with this number."""
    made = 0
    hooks: Any = clients.dynamodb().meta.events

    def count(**_: Any) -> None:
        nonlocal made
        if made == call:
            raise Killed
        made += 1

    hooks.register_first("before-send.dynamodb", count)
    try:
        yield
    finally:
        hooks.unregister("before-send.dynamodb", count)
        connection_pool.close_connections()


def run_until_killed(call: int) -> bool:
    """Whether the migration came to its end before."""
    with killed_before(call):
        try:
            migrate()
        except Killed:
            return False
    return True


def test_killed_before_any_call_it_goes_on_and_nothing_is_lost_or_there_twice(dynamo_table: DynamoScanTable) -> None:
    put_in_layout_1(HOSTS[0])
    put_in_layout_1(HOSTS[1])
    put_paged(replace(PAGED, ports=PAGED.ports[:1_030]))
    put(build_key("network/4.0b00", "asked/0b000000-0b0000ff") | ASKED)
    put_scan(SCAN_ID, 0, 6)
    whole = snapshot()
    before = read_everything()
    migrate()
    migrated = snapshot()
    for call in range(MAX_CALLS):
        restore(whole)
        ended = run_until_killed(call)
        assert read_everything() == before, f"killed before call {call}"
        migrate()
        assert snapshot() == migrated, f"killed before call {call}, then repeated"
        if ended:
            assert call > 10
            return
    raise AssertionError("it never came to its end")


class TestCursor:
    """How far the table was read, for a migration that is stopped."""

    @pytest.fixture(autouse=True)
    def small_pages(self, dynamo_table: DynamoScanTable, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(migration.OF_LAYOUT_1, "Limit", 5)
        put_everything()

    def stop_after(self, pages: int) -> MigrationResult:
        """What it did when the process ended, which is in the cursor or was after it."""
        results: list[MigrationResult] = []

        def tell(result: MigrationResult) -> None:
            results.append(replace(result))
            if len(results) == pages:
                raise Killed

        with pytest.raises(Killed):
            LayoutMigration(DynamoTable(TABLE, lambda: LATER), tell).run()
        return results[-2]  # the cursor is saved after a page was told of

    def count_pages(self, now: datetime = LATER) -> tuple[int, MigrationResult]:
        pages: list[int] = []
        result = LayoutMigration(DynamoTable(TABLE, lambda: now), lambda so_far: pages.append(so_far.hosts)).run()
        return len(pages), result

    def test_a_stopped_migration_goes_on_where_it_was_and_counts_on(self) -> None:
        before = read_everything()
        migrated = self.stop_after(12)
        expected = len(list(DynamoTable(TABLE).scan_all(**migration.OF_LAYOUT_1)))
        pages, result = self.count_pages()
        assert pages < expected
        assert result.hosts >= migrated.hosts
        assert (result.open, result.networks) == (1, 2)
        assert read_everything() == before
        assert left_of_layout_1() == []

    def test_the_cursor_is_removed_at_the_end(self) -> None:
        self.stop_after(3)
        assert cursors() == 1
        migrate()
        assert cursors() == 0

    @pytest.mark.parametrize("body", [None, {"S": "{}"}])
    def test_without_a_cursor_that_can_be_read_it_begins_again(self, body: Item | None) -> None:
        self.stop_after(12)
        key = migration_cursor_key()
        put(key | {"version": {"N": "7"}, "body": body}) if body else clients.dynamodb().delete_item(
            TableName=TABLE, Key=key
        )
        assert migrate().open == 1
        assert left_of_layout_1() == []
        assert cursors() == 0

    def test_an_old_cursor_is_not_used(self) -> None:
        self.stop_after(12)
        expected = len(list(DynamoTable(TABLE).scan_all(**migration.OF_LAYOUT_1)))
        pages, _ = self.count_pages(LATER + timedelta(hours=25))
        assert pages >= expected - 5
        assert (left_of_layout_1(), cursors()) == ([], 0)

    def test_what_an_earlier_version_stores_behind_the_cursor_is_moved_by_another_run(self) -> None:
        """It was deployed again, and scanned all hosts anew."""
        self.stop_after(12)
        for record in HOSTS[:7]:
            put_in_layout_1(record)
        migrate()
        migrate()
        assert left_of_layout_1() == []

    def test_of_two_migrations_the_one_that_began_later_keeps_the_cursor(self) -> None:
        pages: list[int] = []

        def run_another(result: MigrationResult) -> None:
            pages.append(result.hosts)
            if len(pages) == 3:
                self.stop_after(3)

        LayoutMigration(DynamoTable(TABLE, lambda: LATER), run_another).run()
        assert (left_of_layout_1(), cursors()) == ([], 1)
        migrate()
        assert cursors() == 0


def cursors() -> int:
    return sum(item["sk"]["S"] == "migration-cursor" for item in all_items())


def snapshot() -> dict[tuple[str, str], Item]:
    """Every item; the order of a set does not matter."""
    items = {(item["pk"]["S"], item["sk"]["S"]): item for item in all_items()}
    for item in items.values():
        if "hosts" in item:
            item["hosts"] = {"NS": sorted(item["hosts"]["NS"])}
    return items


def restore(items: dict[tuple[str, str], Item]) -> None:
    current = snapshot()
    for key in current.keys() - items.keys():
        clients.dynamodb().delete_item(TableName=TABLE, Key=build_key(*key))
    put(*(item for key, item in items.items() if current.get(key) != item))
