"""ScanTable's contract: the history. Every test runs on the fake and on DynamoDB, but for the last class."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from cascan.aws import clients
from cascan.aws.dynamodb import connection_pool, pipeline
from cascan.aws.dynamodb.wire import unpack_text
from cascan.aws.tables.history import ITEMS_AT_ONCE
from cascan.aws.tables.history_items import LookNetwork, read_all_looks
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.gateways import ScanTable
from cascan.ids import ReportKey, derive_scan_id
from cascan.limits import MAX_LOOK_SPAN_S, MAX_SERVICES_PER_LOOK
from cascan.model.history import Look, NetworkQuery, NotOpenPorts, OpenPorts, SeenService
from tests.integration.gateways.conftest import TABLE

AT = datetime(2099, 3, 1, 12, tzinfo=UTC)
SOURCE = ReportKey(derive_scan_id("a scan"), 3, 2)
LONG_LIST = ",".join(str(port) for port in range(1, 400, 2))
WEB = OpenPorts("tcp", "80,443", SeenService(name="http", product="nginx", cpe=("cpe:/a:nginx",), probed=True))
REST = NotOpenPorts("tcp", LONG_LIST, "closed", {"filtered": "25,135-139"})


def a_look(address: str = "10.0.0.1", seconds: float = 0, **fields: Any) -> Look:
    plain: dict[str, Any] = {
        "address": address,
        "seen_at": AT + timedelta(seconds=seconds),
        "open_ports": (WEB,),
        "not_open": (REST,),
        "offset": 1_000,
        "length": 900,
        **SOURCE._asdict(),
    }
    return Look(**plain | fields)


def until(table: ScanTable, address: str, seconds: float = 10**6, **options: Any) -> list[Look]:
    return list(table.looks_until([address], AT + timedelta(seconds=seconds), **options))


def many(count: int, **fields: Any) -> list[Look]:
    return [a_look(f"10.0.0.{number}", number, **fields) for number in range(1, count + 1)]


class TestLooks:
    @pytest.mark.parametrize("count", [1, 20])
    def test_a_look_is_read_as_it_was_stored(self, count: int, table: ScanTable) -> None:
        looks = many(count)
        table.store_looks(looks, shared_ports=[LONG_LIST])
        assert until(table, looks[-1].address) == [looks[-1]]
        assert until(table, "10.0.0.99") == until(table, looks[-1].address, vantage="internet") == []

    def test_several_networks_are_read_together_each_with_its_own_beginning(self, table: ScanTable) -> None:
        for number in range(12):  # more networks than calls are in flight
            looks = [a_look(f"10.0.{number}.{host}", 60 * minute) for minute in range(3) for host in range(3)]
            table.store_looks(looks)
        queries = [NetworkQuery([f"10.0.{number}.1"], AT + timedelta(minutes=number % 3)) for number in range(12)]
        earlier = table.looks_until_by_network([*queries, NetworkQuery([])], AT + timedelta(minutes=1))
        seen = [[(look.address, look.seen_at) for look in looks] for looks in earlier]
        for number in range(12):
            minutes = range(1, number % 3 - 1, -1)
            assert seen[number] == [(f"10.0.{number}.1", AT + timedelta(minutes=minute)) for minute in minutes]
        assert seen[12:] == [[]]
        later = table.looks_after_by_network(queries, AT + timedelta(minutes=1))
        assert [[look.address for look in looks] for looks in later] == [[f"10.0.{number}.1"] for number in range(12)]

    def test_looks_come_in_order_whatever_item_they_are_in(self, table: ScanTable) -> None:
        times = [5, 0, MAX_LOOK_SPAN_S + 1, MAX_LOOK_SPAN_S // 2, 2 * MAX_LOOK_SPAN_S]
        for number, seconds in enumerate(times):
            others = many(20, scan_id=derive_scan_id(f"scan {number}"))
            table.store_looks([*others[1:], a_look(seconds=seconds, scan_id=derive_scan_id(f"scan {number}"))])
        seen = [(look.seen_at - AT).total_seconds() for look in until(table, "10.0.0.1")]
        assert seen == sorted(times, reverse=True)
        after = list(table.looks_after(["10.0.0.1"], AT + timedelta(seconds=5)))
        assert [(look.seen_at - AT).total_seconds() for look in after] == sorted(times)[2:]
        since = AT + timedelta(seconds=5)
        assert len(until(table, "10.0.0.1", MAX_LOOK_SPAN_S, since=since)) == 2

    def test_a_report_that_is_stored_again_adds_nothing(self, table: ScanTable) -> None:
        for _ in range(2):
            table.store_looks(many(20))
            table.store_looks([a_look("10.9.0.1")])
        assert len(until(table, "10.0.0.7")) == len(until(table, "10.9.0.1")) == 1

    def test_two_elements_of_a_host_are_two_looks(self, table: ScanTable) -> None:
        for offset in (0, 5_000):
            table.store_looks([a_look(offset=offset)])
        assert [look.offset for look in until(table, "10.0.0.1")] == [5_000, 0]

    def test_looks_of_ipv6_and_of_hosts_that_are_not_up(self, table: ScanTable) -> None:
        down = a_look("2001:db8::5", is_up=False, open_ports=(), not_open=())
        table.store_looks([down])
        assert until(table, "2001:db8::5") == [down]

    def test_vantages_with_looks_are_listed(self, table: ScanTable) -> None:
        assert list(table.history_vantages()) == []
        for vantage in ("vpc-a", "default"):
            table.store_looks(many(9), vantage=vantage)
        table.store_absences(SOURCE, 4, [(1, 2)], AT, vantage="internet")
        assert list(table.history_vantages()) == ["default", "internet", "vpc-a"]


class TestAbsences:
    def test_an_address_in_an_interval_was_not_up(self, table: ScanTable) -> None:
        low = 10 << 24
        table.store_absences(SOURCE, 4, [(low, low + 4), (low + 6, low + 70_000)], AT)
        for address in ("10.0.0.0", "10.0.0.4", "10.0.0.6", "10.1.0.1"):
            (look,) = until(table, address)
            assert (look.is_up, look.seen_at, look.address) == (False, AT, address)
        assert until(table, "10.0.0.5") == until(table, "10.2.0.0") == []


class TestRemoval:
    def test_the_addresses_go_and_their_neighbours_stay(self, table: ScanTable) -> None:
        low = 10 << 24
        table.store_looks([*many(20), a_look("10.0.9.1")])
        table.store_absences(SOURCE, 4, [(low + 100, low + 110)], AT)
        assert table.remove_history(4, low + 1, low + 105)
        assert until(table, "10.0.0.1") == until(table, "10.0.0.20") == until(table, "10.0.0.105") == []
        assert len(until(table, "10.0.0.106")) == len(until(table, "10.0.9.1")) == 1
        assert table.remove_history(4, low + 1, low + 105) == 0

    def test_a_part_of_an_item_is_removed(self, table: ScanTable) -> None:
        table.store_looks(many(20), shared_ports=[LONG_LIST])
        low = 10 << 24
        table.remove_history(4, low, low + 10)
        assert until(table, "10.0.0.10") == []
        assert until(table, "10.0.0.11") == [many(11)[-1]]


def items_of(pk: str) -> list[dict[str, Any]]:
    found = clients.dynamodb().query(
        TableName=TABLE, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": pk}}
    )
    return found["Items"]


class TestOnDynamoDB:
    def test_many_hosts_of_a_24_share_an_item_of_their_own_and_few_one_of_the_16(
        self, dynamo_table: DynamoScanTable
    ) -> None:
        dynamo_table.store_looks([*many(20), a_look("10.0.7.1"), a_look("10.0.9.1")])
        assert len(items_of("looks/default/4.0a0000")) == len(items_of("looks/default/4.0a00")) == 1
        assert [item["sk"]["S"] for item in items_of("looks/default")] == ["4.0a00", "4.0a0000"]

    def test_a_partition_without_looks_is_not_read(
        self, dynamo_table: DynamoScanTable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dynamo_table.store_looks(many(20))
        asked: list[str] = []
        call, read_each = connection_pool.call, pipeline.read_each

        def record_call(operation: str, request: dict[str, Any]) -> Any:
            if operation == "Query":
                asked.append(request["ExpressionAttributeValues"][":pk"]["S"])
            return call(operation, request)

        def record_reads(operation: str, requests: Iterable[dict[str, Any]]) -> Any:
            listed = list(requests)
            asked.extend(request["ExpressionAttributeValues"][":pk"]["S"] for request in listed)
            return read_each(operation, listed)

        monkeypatch.setattr(connection_pool, "call", record_call)
        monkeypatch.setattr(pipeline, "read_each", record_reads)
        assert until(dynamo_table, "10.0.0.7")
        assert asked == ["looks/default", "looks/default/4.0a0000"]
        assert until(dynamo_table, "10.0.9.7") == []
        assert asked[2:] == []  # the list of the /16 is known
        dynamo_table.store_looks([a_look("10.0.9.7")])
        assert len(until(dynamo_table, "10.0.9.7")) == 1

    def test_looks_beyond_the_first_page_are_read(self, dynamo_table: DynamoScanTable) -> None:
        count = 2 * ITEMS_AT_ONCE + 3
        for number in range(count):
            looks = [a_look(f"10.0.0.{host}", 60 * number, scan_id=derive_scan_id(f"{number}")) for host in range(9)]
            dynamo_table.store_looks(looks)
        minutes = [(look.seen_at - AT).total_seconds() / 60 for look in until(dynamo_table, "10.0.0.7")]
        assert minutes == list(reversed(range(count)))
        since = AT + timedelta(minutes=5)
        assert len(until(dynamo_table, "10.0.0.7", since=since)) == count - 5
        after = dynamo_table.looks_after(["10.0.0.7"], since)
        assert [(look.seen_at - AT).total_seconds() / 60 for look in after] == list(range(6, count))

    def test_a_long_list_of_ports_that_all_share_is_stored_once(self, dynamo_table: DynamoScanTable) -> None:
        dynamo_table.store_looks(many(20), shared_ports=[LONG_LIST])
        (item,) = items_of("looks/default/4.0a0000")
        assert LONG_LIST.encode() not in unpack_text(item["body"])
        assert len(unpack_text(item["body"])) > len(item["body"]["B"])

    def test_the_largest_look_fits_an_item(self, dynamo_table: DynamoScanTable) -> None:
        texts = [f"{number:03d}" * 26 for number in range(MAX_SERVICES_PER_LOOK)]
        services = [SeenService(text, text[1:], text[2:], text[3:], text[4:]) for text in texts]
        groups = [OpenPorts("tcp", str(number), service) for number, service in enumerate(services)]
        many_ports = OpenPorts("tcp", ",".join(map(str, range(1_000, 65_535, 2))))
        tarpits = [a_look(f"10.0.0.{number}", open_ports=(*groups, many_ports)) for number in range(1, 10)]
        dynamo_table.store_looks(tarpits)
        assert until(dynamo_table, "10.0.0.9") == [tarpits[-1]]
        assert len(items_of("looks/default/4.0a0000")) == 9

    def test_looks_expire_with_their_own_time(self, dynamo_table: DynamoScanTable) -> None:
        dynamo_table.history_days = 30
        dynamo_table.store_looks(many(20))
        dynamo_table.store_absences(SOURCE, 4, [(1, 2)], AT)
        for pk in ("looks/default/4.0a0000", "looks/default/4.0000"):
            (item,) = items_of(pk)
            expires_at = datetime.fromtimestamp(int(item["expires_at"]["N"]), UTC)
            assert timedelta(days=30) <= expires_at - AT < timedelta(days=30, minutes=1)

    def test_an_item_of_another_version_is_read(self, dynamo_table: DynamoScanTable) -> None:
        dynamo_table.store_looks(many(20))
        (item,) = items_of("looks/default/4.0a0000")
        body = msgspec.json.decode(unpack_text(item["body"]))
        body["services"][0]["unknown"] = 1
        del body["services"][0]["product"]
        for rows in body["looks"].values():
            rows[0].append("a later field")
        other = item | {"body": {"S": msgspec.json.encode(body | {"unknown": {}}).decode()}, "unknown": {"S": "?"}}
        looks = read_all_looks(other, LookNetwork.parse("4.0a0000"))
        assert len(looks) == 20
        assert looks[0].open_ports[0].service.product == ""
