"""The inventory's items on DynamoDB: pointers in sets, vantages, and what layout 1 left."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from msgspec.json import encode
from msgspec.structs import replace

from cascan.aws import clients
from cascan.aws.dynamodb.wire import Item, build_key
from cascan.aws.tables.host_pointers import CHECK_AGAIN_AFTER
from cascan.aws.tables.inventory_items import PORTS_PER_PAGE
from cascan.aws.tables.pointer_items import Pointer, merge_pointers, read_pointers
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.ids import ReportKey
from cascan.model.inventory import HostRecord, InventoryQuery
from tests.integration.gateways.conftest import TABLE
from tests.integration.gateways.examples import AT, SCAN_ID, a_change, a_host, a_port, a_sighting, an_update

SOURCE = ReportKey(SCAN_ID, 3, 2)
SSH = InventoryQuery(ports=frozenset({("tcp", 22)}))


def all_items(prefix: str = "") -> list[Item]:
    pages = clients.dynamodb().get_paginator("scan").paginate(TableName=TABLE)
    items: list[Any] = [item for page in pages for item in page["Items"]]
    return [item for item in items if item["pk"]["S"].startswith(prefix)]


def put(*items: Item) -> None:
    for item in items:
        clients.dynamodb().put_item(TableName=TABLE, Item=item)


def put_in_layout_1(record: HostRecord) -> None:
    """The record as an earlier version stored it, with its pointers."""
    body = {"S": encode(record).decode()}
    revision = {"N": str(record.revision)}
    a, b, c, d = map(int, record.address.split("."))
    network, sk = f"4.{a:02x}{b:02x}", f"{a:02x}{b:02x}{c:02x}{d:02x}"
    put(build_key("networks", network), build_key(f"network/{network}/host", sk))
    put(*(build_key(f"network/{network}/{port.protocol}/{port.port}", sk) for port in record.ports))
    put(build_key(f"address/{record.address}", "host") | {"body": body, "revision": revision})


class TestPointers:
    def test_hosts_of_a_network_share_an_item_and_one_update_adds_them(
        self, dynamo_table: DynamoScanTable, calls: Counter[str]
    ) -> None:
        hosts = [a_host(f"10.0.{n // 100}.{n % 100}") for n in range(200)]
        dynamo_table.save_hosts(SOURCE, map(an_update, hosts))
        pointers = {(item["pk"]["S"], item["sk"]["S"]): len(item["hosts"]["NS"]) for item in all_items("network/")}
        names = ("host", "service/ssh", "tcp/22")
        assert pointers == {(f"network/default/4.0a00/{name}", f"0a000{n}"): 100 for name in names for n in range(2)}
        assert calls["UpdateItem"] == 6
        assert [record.address for record in dynamo_table.hosts(SSH)] == [host.address for host in hosts]

    def test_hosts_that_share_nothing_are_stored_in_batches(
        self, dynamo_table: DynamoScanTable, calls: Counter[str]
    ) -> None:
        hosts = [a_host(f"10.0.{n}.1") for n in range(50)]
        dynamo_table.save_hosts(SOURCE, map(an_update, hosts))
        assert calls["BatchWriteItem"] == 151 // 25 + 1  # three pointers for each, and one network
        assert calls["UpdateItem"] == 0
        assert [record.address for record in dynamo_table.hosts(SSH)] == [host.address for host in hosts]

    def test_a_host_alone_and_a_set_of_its_network_are_both_found(self, dynamo_table: DynamoScanTable) -> None:
        first = [a_host(f"10.0.0.{n}") for n in (7, 200)]
        dynamo_table.save_hosts(SOURCE, map(an_update, first))
        dynamo_table.save_hosts(SOURCE, [an_update(a_host("10.0.0.9"))])
        dynamo_table.save_hosts(SOURCE, [an_update(a_host("2001:db8::9")), an_update(a_host("2001:db8::a"))])
        expected = ["10.0.0.7", "10.0.0.9", "10.0.0.200"]
        assert [record.address for record in dynamo_table.hosts(SSH)] == [*expected, "2001:db8::9", "2001:db8::a"]
        low = 10 << 24
        assert list(dynamo_table.known_addresses(4, low, low + 255)) == expected
        assert list(dynamo_table.known_addresses(4, low + 8, low + 199)) == ["10.0.0.9"]
        assert list(dynamo_table.known_addresses(4, low + 201, low + 999)) == []

    def test_a_set_reads_as_the_addresses_that_were_added(self) -> None:
        addresses = ["0a000000", "0a0000ff", "0a00000a"]
        items, (update,) = merge_pointers(TABLE, [Pointer("p", address) for address in addresses])
        assert items == []
        stored = update.request["Key"] | {"hosts": update.request["ExpressionAttributeValues"][":hosts"]}
        assert sorted(read_pointers(stored)) == sorted(addresses)


class TestRecords:
    def test_a_record_of_usual_size_costs_one_unit(self, dynamo_table: DynamoScanTable) -> None:
        record = a_host(ports=tuple(a_port(number) for number in range(1, 13)))
        assert len(encode(record)) > 2_000
        dynamo_table.save_hosts(SOURCE, [an_update(record)])
        (item,) = all_items("host/")
        assert len(item["body"]["B"]) < 900
        assert dynamo_table.known_hosts([record.address]) == {record.address: record}

    def test_of_two_writers_of_an_unchanged_record_one_wins(self, dynamo_table: DynamoScanTable) -> None:
        first = a_host()
        dynamo_table.save_hosts(SOURCE, [an_update(first)])
        second, third = replace(first, revision=2, hostname="a"), replace(first, revision=2, hostname="b")
        assert dynamo_table.save_hosts(SOURCE, [an_update(second, first)]) == []
        assert dynamo_table.save_hosts(SOURCE, [an_update(third, first)]) == [first.address]
        assert dynamo_table.known_hosts([first.address]) == {first.address: second}


class TestVantages:
    def test_the_inventories_of_two_vantages_do_not_meet(self, dynamo_table: DynamoScanTable) -> None:
        inside, outside = a_host(hostname="inside"), a_host(hostname="outside", ports=(a_port(443),))
        dynamo_table.save_hosts(SOURCE, [an_update(inside)])
        dynamo_table.save_hosts(SOURCE, [an_update(outside)], vantage="internet")
        dynamo_table.note_asked(4, [(1, 9)], a_sighting(state="not up"), vantage="internet")
        assert list(dynamo_table.hosts(InventoryQuery())) == [inside]
        assert list(dynamo_table.hosts(InventoryQuery(), vantage="internet")) == [outside]
        assert list(dynamo_table.hosts(SSH, vantage="internet")) == []
        assert dynamo_table.known_hosts([inside.address], vantage="internet") == {inside.address: outside}
        assert list(dynamo_table.asked(4, 0, 99)) == []
        assert len(list(dynamo_table.asked(4, 0, 99, vantage="internet"))) == 1

    def test_pages_of_a_record_are_under_its_vantage(self, dynamo_table: DynamoScanTable) -> None:
        record = a_host(ports=tuple(a_port(number) for number in range(1, 2 * PORTS_PER_PAGE)))
        dynamo_table.save_hosts(SOURCE, [an_update(record)], vantage="internet")
        assert dynamo_table.known_hosts([record.address], vantage="internet") == {record.address: record}
        assert len(all_items("host/internet/10.0.0.5")) == 3


class TestLayout1:
    """Records that an earlier version stored are read until they are migrated."""

    def test_they_are_found_by_address_network_port_and_beside_newer_ones(self, dynamo_table: DynamoScanTable) -> None:
        old, new = a_host("10.0.0.7", revision=4), a_host("10.0.0.6")
        put_in_layout_1(old)
        dynamo_table.save_hosts(SOURCE, [an_update(new)])
        assert dynamo_table.known_hosts(["10.0.0.6", "10.0.0.7", "10.0.0.8"]) == {"10.0.0.6": new, "10.0.0.7": old}
        everywhere = InventoryQuery(networks=((4, 0, 2**32 - 1),))
        for query in (SSH, everywhere, InventoryQuery(networks=((4, 10 << 24, (10 << 24) + 9),))):
            assert list(dynamo_table.hosts(query)) == [new, old]
        assert list(dynamo_table.known_addresses(4, 0, 2**32 - 1)) == ["10.0.0.6", "10.0.0.7"]

    @pytest.mark.parametrize("changes", [(), (a_change("10.0.0.7"),)], ids=["unchanged", "changed"])
    def test_the_next_report_stores_it_in_layout_2_which_counts_from_then_on(
        self, dynamo_table: DynamoScanTable, changes: tuple[Any, ...]
    ) -> None:
        old = a_host("10.0.0.7", revision=4)
        put_in_layout_1(old)
        known = dynamo_table.known_hosts(["10.0.0.7"])["10.0.0.7"]
        new = replace(known, hostname="new", revision=5)
        assert dynamo_table.save_hosts(SOURCE, [an_update(new, known, *changes)]) == []
        assert list(dynamo_table.hosts(SSH)) == [new]
        assert dynamo_table.save_hosts(SOURCE, [an_update(new, known, *changes)]) == ["10.0.0.7"]

    def test_the_newer_note_of_scanned_addresses_counts_in_whichever_layout_it_is(
        self, dynamo_table: DynamoScanTable
    ) -> None:
        put_in_layout_1(a_host())
        older, newer = a_sighting(0, state="not up"), a_sighting(5, state="not up")
        for key, sighting in (("00000001-00000009", newer), ("00000020-00000029", older)):
            put(build_key("network/4.0000", f"asked/{key}") | {"body": {"S": encode(sighting).decode()}})
        dynamo_table.note_asked(4, [(1, 9)], older)
        dynamo_table.note_asked(4, [(0x20, 0x29)], newer)
        assert list(dynamo_table.asked(4, 0, 99)) == [((1, 9), newer), ((0x20, 0x29), newer)]

    def test_layout_1_is_not_read_where_there_is_none_and_looked_for_again_after_a_while(
        self, dynamo_table: DynamoScanTable, calls: Counter[str]
    ) -> None:
        dynamo_table.known_hosts(["10.0.0.7"])
        calls.clear()
        dynamo_table.known_hosts(["10.0.0.7"])
        assert calls == {"BatchGetItem": 1}

        put_in_layout_1(a_host("10.0.0.7"))
        moments = [AT]
        waiting = DynamoScanTable(TABLE, lambda: moments[0])
        assert list(waiting.known_hosts(["10.0.0.7"])) == ["10.0.0.7"]
        clients.dynamodb().delete_item(TableName=TABLE, Key=build_key("networks", "4.0a00"))
        assert list(waiting.known_hosts(["10.0.0.7"])) == ["10.0.0.7"]
        moments[0] = AT + CHECK_AGAIN_AFTER
        assert list(waiting.known_hosts(["10.0.0.7"])) == []
