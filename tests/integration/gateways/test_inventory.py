"""ScanTable's contract: the inventory. Every test runs on the fake and on DynamoDB, but for the last class."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from ipaddress import ip_address
from itertools import repeat
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from msgspec.structs import replace

from cascan.aws import clients
from cascan.aws.tables.inventory_items import PORTS_PER_PAGE
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.errors import GatewayUnavailable
from cascan.gateways import ScanTable
from cascan.ids import ReportKey
from cascan.model.inventory import ChangeKind, HostRecord, InventoryQuery, Place, PortCoverage, PortRecord, Sighting
from tests.integration.gateways.conftest import TABLE, Script
from tests.integration.gateways.examples import (
    AT,
    SCAN_ID,
    a_change,
    a_host,
    a_port,
    a_scan,
    a_shard,
    a_sighting,
    an_update,
)

SOURCE = ReportKey(SCAN_ID, 3, 2)
MANY_PORTS = ",".join(str(port) for port in range(1, 400, 2))


def store(table: ScanTable, *records: HostRecord) -> None:
    assert table.save_hosts(SOURCE, [an_update(record) for record in records]) == []


def addresses(table: ScanTable, sought: InventoryQuery) -> list[str]:
    return [record.address for record in table.hosts(sought)]


def span(first: str, last: str) -> tuple[int, int, int]:
    return ip_address(first).version, int(ip_address(first)), int(ip_address(last))


class TestRecords:
    def test_a_host_is_read_as_it_was_stored(self, table: ScanTable) -> None:
        shared = PortCoverage(protocol="udp", ports=MANY_PORTS, seen_at=AT, scan_id=SCAN_ID, common=True)
        host = a_host(coverage=(*a_host().coverage, shared))
        store(table, host, a_host("2001:db8::1", ports=(), hostname=""))
        assert table.known_hosts(["10.0.0.5", "10.0.0.6"]) == {"10.0.0.5": host}

    @pytest.mark.parametrize("count", [0, 3, 2 * PORTS_PER_PAGE])
    def test_the_times_since_when_a_host_and_its_ports_are_open_are_read_alone(
        self, table: ScanTable, count: int
    ) -> None:
        ports = tuple(replace(a_port(number), first_seen=AT - timedelta(days=number)) for number in range(1, 1 + count))
        host = a_host(ports=ports, first_seen=AT - timedelta(days=900))
        store(table, host)
        times = table.first_seen(["10.0.0.5", "10.0.0.6"])
        assert times == {"10.0.0.5": {None: host.first_seen} | {port.key: port.first_seen for port in ports}}

    def test_a_host_has_a_record_by_address_and_one_by_identity(self, table: ScanTable) -> None:
        here, identity = a_host(), "mac:52:54:00:12:34:56"
        places = (Place(address=here.address, seen_at=AT, scan_id=SCAN_ID),)
        identified = replace(here, identity=identity, places=places)
        store(table, replace(here, identity=identity), identified)
        assert table.known_hosts([here.address, identity]) == {
            here.address: replace(here, identity=identity),
            identity: identified,
        }
        assert addresses(table, InventoryQuery()) == [here.address]
        assert table.save_hosts(SOURCE, [an_update(identified)]) == [identity]

    def test_changes_of_two_hosts_at_one_address_are_kept_apart(self, table: ScanTable) -> None:
        here, identity = a_host(), "mac:52:54:00:12:34:56"
        places = (Place(address=here.address, seen_at=AT, scan_id=SCAN_ID),)
        identified = replace(here, identity=identity, places=places)
        opened = a_change()
        closed = a_change(kind=ChangeKind.PORT_CLOSED, identity=identity)
        moved = a_change(kind=ChangeKind.HOST_MOVED, identity=identity, previous_address="10.0.0.9")
        table.save_hosts(SOURCE, [an_update(here, None, opened), an_update(identified, None, closed, moved)])
        assert list(table.changes(SCAN_ID, SOURCE.shard)) == [opened, closed, moved]

    @pytest.mark.parametrize("count", [1_024, 1_025, 4_000])
    def test_a_host_with_every_port_open_is_read_as_it_was_stored(self, table: ScanTable, count: int) -> None:
        ports = tuple(a_port(number, latest=a_sighting(product=f"p{number}")) for number in range(1, count + 1))
        host = a_host(ports=ports)
        changes = tuple(a_change(port=port.port) for port in ports)
        assert table.save_hosts(SOURCE, [an_update(host, None, *changes)]) == []
        assert table.known_hosts([host.address]) == {host.address: host}
        assert tuple(table.changes(SCAN_ID, 3)) == changes
        fewer = a_host(ports=ports[:1_030], revision=2)
        assert table.save_hosts(SOURCE, [an_update(fewer, host)]) == []
        assert table.known_hosts([host.address]) == {host.address: fewer}

    def test_many_hosts_are_stored_and_read_in_one_call(self, table: ScanTable) -> None:
        records = [a_host(f"10.0.{number // 256}.{number % 256}") for number in range(120)]
        store(table, *records)
        assert table.known_hosts(record.address for record in records) == {r.address: r for r in records}

    def test_a_record_that_somebody_changed_meanwhile_is_not_stored_and_neither_are_its_changes(
        self, table: ScanTable
    ) -> None:
        first, other = a_host(), a_host("10.0.0.6")
        store(table, first)
        theirs = replace(first, hostname="theirs", revision=2)
        assert table.save_hosts(SOURCE, [an_update(theirs, first)]) == []
        ours = replace(first, hostname="ours", revision=2)
        updates = [an_update(ours, first, a_change()), an_update(other, None, a_change("10.0.0.6"))]
        assert table.save_hosts(SOURCE, updates) == [first.address]
        assert table.known_hosts([first.address, other.address]) == {first.address: theirs, other.address: other}
        assert [change.address for change in table.changes(SCAN_ID, 3)] == [other.address]

    def test_a_host_that_somebody_else_stored_first_is_not_stored(self, table: ScanTable) -> None:
        store(table, a_host(hostname="theirs"))
        assert table.save_hosts(SOURCE, [an_update(a_host(hostname="ours"))]) == ["10.0.0.5"]

    def test_changes_are_read_by_address_and_of_their_shard_alone(self, table: ScanTable) -> None:
        for address in ("10.0.0.20", "10.0.0.3"):
            changes = (a_change(address, 22), a_change(address, 80))
            table.save_hosts(SOURCE, [an_update(a_host(address), None, *changes)])
        table.save_hosts(ReportKey(SCAN_ID, 4, 1), [an_update(a_host("10.0.0.1"), None, a_change("10.0.0.1"))])
        read = [(change.address, change.port) for change in table.changes(SCAN_ID, 3)]
        assert read == [("10.0.0.3", 22), ("10.0.0.3", 80), ("10.0.0.20", 22), ("10.0.0.20", 80)]
        behind = [list(table.changes(SCAN_ID, 3, after)) for after in ("10.0.0.2", "10.0.0.3", "10.0.0.20")]
        assert [{change.address for change in changes} for changes in behind[1:]] == [{"10.0.0.20"}, set()]
        assert len(behind[0]) == 4

    def test_two_attempts_of_a_shard_keep_the_changes_of_both(self, table: ScanTable) -> None:
        first = a_host()
        table.save_hosts(ReportKey(SCAN_ID, 3, 1), [an_update(first, None, a_change(port=22))])
        table.save_hosts(SOURCE, [an_update(replace(first, revision=2), first, a_change(port=80))])
        assert [change.port for change in table.changes(SCAN_ID, 3)] == [22, 80]

    def test_a_scan_is_removed_with_its_changes_but_the_host_records_stay(self, table: ScanTable) -> None:
        table.create_scan(a_scan(shards=4))
        table.add_shards([a_shard(3, attempt=1)])
        many = tuple(a_change(port=port) for port in range(1, 1_203))
        table.save_hosts(
            SOURCE, [an_update(a_host(), None, *many), an_update(a_host("10.0.0.6"), None, a_change("10.0.0.6"))]
        )
        assert table.remove_scan(SCAN_ID, 100)
        assert list(table.changes(SCAN_ID, 3)) == []
        assert set(table.known_hosts(["10.0.0.5", "10.0.0.6"])) == {"10.0.0.5", "10.0.0.6"}


class TestLookingUp:
    @pytest.fixture(autouse=True)
    def _stored(self, table: ScanTable) -> None:
        web = a_port(80, latest=a_sighting(service="http"))
        gone = Sighting(state="not up", seen_at=AT, scan_id=SCAN_ID)
        closed = a_port(80, latest=a_sighting(state="closed", service="", product="", version="", probed=False))
        store(
            table,
            a_host("10.0.0.5", ports=(a_port(), web)),
            a_host("10.0.0.30", ports=(web,)),
            a_host("10.1.0.1", ports=(closed,)),
            a_host("10.200.0.1", ports=(replace(web, protocol="udp"),)),
            a_host("9.255.255.255", latest=gone, ports=(web,)),
            a_host("2001:db8::1", ports=(web,)),
        )

    def test_everything_comes_in_order_of_address(self, table: ScanTable) -> None:
        everything = ["9.255.255.255", "10.0.0.5", "10.0.0.30", "10.1.0.1", "10.200.0.1", "2001:db8::1"]
        assert addresses(table, InventoryQuery()) == everything

    @pytest.mark.parametrize(
        ("first", "last", "expected"),
        [
            ("10.0.0.5", "10.0.0.5", ["10.0.0.5"]),
            ("10.0.0.0", "10.0.0.255", ["10.0.0.5", "10.0.0.30"]),
            ("10.0.0.6", "10.255.255.255", ["10.0.0.30", "10.1.0.1", "10.200.0.1"]),
            ("10.0.0.6", "10.0.0.29", []),
            ("2001:db8::", "2001:db8::ffff", ["2001:db8::1"]),
        ],
    )
    def test_by_network(self, table: ScanTable, first: str, last: str, expected: list[str]) -> None:
        assert addresses(table, InventoryQuery(networks=(span(first, last),))) == expected
        assert list(table.known_addresses(*span(first, last))) == expected

    def test_by_port_only_where_it_is_open_now(self, table: ScanTable) -> None:
        assert addresses(table, InventoryQuery(ports=frozenset({("tcp", 80)}))) == [
            "10.0.0.5",
            "10.0.0.30",
            "2001:db8::1",
        ]
        both = frozenset({("tcp", 22), ("udp", 80)})
        assert addresses(table, InventoryQuery(ports=both)) == ["10.0.0.5", "10.200.0.1"]

    def test_by_service_only_where_it_is_open_now(self, table: ScanTable) -> None:
        assert addresses(table, InventoryQuery(service="ssh")) == ["10.0.0.5"]
        assert addresses(table, InventoryQuery(service="http", networks=(span("10.0.0.0", "10.0.255.255"),))) == [
            "10.0.0.5",
            "10.0.0.30",
        ]

    def test_by_port_and_service_both_of_one_port(self, table: ScanTable) -> None:
        assert addresses(table, InventoryQuery(service="http", ports=frozenset({("tcp", 22)}))) == []

    def test_a_service_that_changed_is_found_under_its_new_name_alone(self, table: ScanTable) -> None:
        host = table.known_hosts(["10.0.0.30"])["10.0.0.30"]
        ports: tuple[PortRecord, ...] = (a_port(80, latest=a_sighting(1, service="ipp")),)
        table.save_hosts(SOURCE, [an_update(replace(host, ports=ports, revision=2), host)])
        assert addresses(table, InventoryQuery(service="ipp")) == ["10.0.0.30"]
        assert "10.0.0.30" not in addresses(table, InventoryQuery(service="http"))


class TestAsked:
    def test_recorded_intervals_that_overlap_the_range_are_returned(self, table: ScanTable) -> None:
        note = a_sighting(state="not up")
        table.note_asked(4, [(100, 199), (300, 399)], note)
        assert list(table.asked(4, 150, 299)) == [((100, 199), note)]
        assert list(table.asked(4, 200, 299)) == []
        assert list(table.asked(6, 150, 299)) == []

    def test_an_interval_across_networks_is_found_in_each_of_them(self, table: ScanTable) -> None:
        note = a_sighting(state="not up")
        low, high = (10 << 24) + 65_000, (10 << 24) + 66_000
        table.note_asked(4, [(low, high)], note)
        for number in (low, 10 << 24 | 65_535, 10 << 24 | 65_536, high):
            assert [told for (first, last), told in table.asked(4, number, number) if first <= number <= last] == [note]

    def test_an_older_note_changes_nothing(self, table: ScanTable) -> None:
        newer, older = a_sighting(1, state="not up"), a_sighting(0, state="not up")
        table.note_asked(4, [(1, 9)], newer)
        table.note_asked(4, [(20, 29), (1, 9)], older)
        assert list(table.asked(4, 0, 99)) == [((1, 9), newer), ((20, 29), older)]


class TestOnlyOnDynamoDB:
    def test_unprocessed_keys_are_requested_again(self, dynamo_table: DynamoScanTable, script: Script) -> None:
        store(dynamo_table, *(a_host(f"10.0.0.{number}") for number in range(5)))
        whole = clients.dynamodb().batch_get_item

        def half(request: dict[str, Any]) -> Any:
            keys = request["RequestItems"][TABLE]["Keys"]
            answer: dict[str, Any] = dict(whole(RequestItems={TABLE: {"Keys": keys[:2], "ConsistentRead": True}}))
            return answer | {"UnprocessedKeys": {TABLE: {"Keys": keys[2:]}}}

        requests = script(clients.dynamodb(), "batch_get_item", [half])
        assert len(dynamo_table.known_hosts(f"10.0.0.{number}" for number in range(5))) == 5
        assert [len(request["RequestItems"][TABLE]["Keys"]) for request in requests] == [5, 3]

    def test_keys_that_stay_unprocessed_are_an_error(self, dynamo_table: DynamoScanTable, script: Script) -> None:
        none: dict[str, Any] = {"Responses": {}, "UnprocessedKeys": {TABLE: {"Keys": [1, 2]}}}
        script(clients.dynamodb(), "batch_get_item", repeat(none))
        with pytest.raises(GatewayUnavailable, match="2 items were left unread"):
            dynamo_table.known_hosts(["10.0.0.5"])

    def test_a_writer_that_died_before_its_transaction_leaves_nothing_that_is_read(
        self, dynamo_table: DynamoScanTable, script: Script
    ) -> None:
        ports = tuple(a_port(number) for number in range(1, 1_100))
        update = an_update(a_host(ports=ports), None, *(a_change(port=port.port) for port in ports))
        died = EndpointConnectionError(endpoint_url="x")
        script(clients.dynamodb(), "transact_write_items", [died])
        with pytest.raises(GatewayUnavailable):
            dynamo_table.save_hosts(SOURCE, [update])
        assert dynamo_table.known_hosts(["10.0.0.5"]) == {}
        assert list(dynamo_table.changes(SCAN_ID, 3)) == []
        assert addresses(dynamo_table, InventoryQuery(ports=frozenset({("tcp", 22)}))) == []
        assert dynamo_table.save_hosts(SOURCE, [update]) == []
        assert dynamo_table.known_hosts(["10.0.0.5"]) == {"10.0.0.5": update.record}
        assert tuple(dynamo_table.changes(SCAN_ID, 3)) == update.changes

    def test_pages_that_are_replaced_while_they_are_read_are_read_again(
        self, dynamo_table: DynamoScanTable, script: Script
    ) -> None:
        first = a_host(ports=tuple(a_port(number) for number in range(1, 1_100)))
        store(dynamo_table, first)
        second = replace(first, hostname="renamed", revision=2)
        query = clients.dynamodb().query

        def replaced_just_now(request: dict[str, Any]) -> Any:
            assert dynamo_table.save_hosts(SOURCE, [an_update(second, first)]) == []
            return query(**request)

        script(clients.dynamodb(), "query", [replaced_just_now])
        assert dynamo_table.known_hosts(["10.0.0.5"]) == {"10.0.0.5": second}

    def test_pages_of_a_replaced_record_are_deleted(self, dynamo_table: DynamoScanTable) -> None:
        first = a_host(ports=tuple(a_port(number) for number in range(1, 3_000)))
        store(dynamo_table, first)
        dynamo_table.save_hosts(SOURCE, [an_update(a_host(revision=2), first)])
        query = clients.dynamodb().query
        left = query(
            TableName=TABLE,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": "host/default/10.0.0.5"}},
        )
        assert [item["sk"]["S"] for item in left["Items"]] == ["host"]

    def test_a_set_of_ports_that_many_hosts_share_is_stored_once_and_outside_of_them(
        self, dynamo_table: DynamoScanTable, script: Script
    ) -> None:
        shared = PortCoverage(protocol="tcp", ports=MANY_PORTS, seen_at=AT, scan_id=SCAN_ID, common=True)
        puts = script(clients.dynamodb(), "put_item", ())
        store(dynamo_table, *(a_host(f"10.0.0.{number}", coverage=(shared,)) for number in range(20)))
        assert len(puts) > 20
        assert len([put for put in puts if MANY_PORTS in str(put)]) == 1
        fresh = DynamoScanTable(TABLE)
        assert fresh.known_hosts(["10.0.0.3"])["10.0.0.3"].coverage == (shared,)

    def test_changes_expire_after_the_days_of_the_history_and_hosts_never_do(
        self, dynamo_table: DynamoScanTable
    ) -> None:
        many = tuple(a_change(port=port) for port in range(1, 1_203))  # on pages of their own
        updates = [an_update(a_host(), None, *many), an_update(a_host("10.0.0.6"), None, a_change("10.0.0.6"))]
        assert DynamoScanTable(TABLE, lambda: AT, history_days=30).save_hosts(SOURCE, updates) == []

        expiry = AT + timedelta(days=30)
        before = DynamoScanTable(TABLE, lambda: expiry - timedelta(seconds=1))
        after = DynamoScanTable(TABLE, lambda: expiry + timedelta(seconds=1))
        assert len(list(before.changes(SCAN_ID, 3))) == 1_203
        assert list(after.changes(SCAN_ID, 3)) == []
        assert set(after.known_hosts(["10.0.0.5", "10.0.0.6"])) == {"10.0.0.5", "10.0.0.6"}
        items = clients.dynamodb().scan(TableName=TABLE)["Items"]
        assert {item["pk"]["S"].partition("/")[0] for item in items if "expires_at" in item} == {"changes"}
        stored_changes = [item for item in items if item["pk"]["S"].startswith("changes/")]
        assert all("expires_at" in item for item in stored_changes)

    def test_without_a_period_changes_have_no_time_to_live(self, dynamo_table: DynamoScanTable) -> None:
        assert dynamo_table.save_hosts(SOURCE, [an_update(a_host(), None, a_change())]) == []
        items = clients.dynamodb().scan(TableName=TABLE)["Items"]
        assert not [item for item in items if "expires_at" in item]

    def test_a_scan_that_finds_nothing_new_writes_one_item_a_host(
        self, dynamo_table: DynamoScanTable, calls: Counter[str]
    ) -> None:
        hosts = [a_host(f"10.0.0.{number}") for number in range(20)]
        store(dynamo_table, *hosts)
        calls.clear()
        updates = [an_update(replace(host, revision=2), host) for host in hosts]
        assert dynamo_table.save_hosts(ReportKey(SCAN_ID, 4, 1), updates) == []
        assert calls == {"PutItem": 20}
        assert dynamo_table.save_hosts(ReportKey(SCAN_ID, 5, 1), updates) == [host.address for host in hosts]
