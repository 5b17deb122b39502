"""The items of findings: what they cost, damaged ones, and those of layout 1."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cascan import stored
from cascan.aws import clients
from cascan.aws.dynamodb.wire import Item
from cascan.aws.tables.finding_items import finding_item, host_items, read_lines
from cascan.aws.tables.items import scan_key
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.errors import GatewayUnavailable, UnreadableItem
from cascan.ids import ReportKey
from cascan.limits import MAX_UNPACKED_BYTES
from cascan.model.finding import HostFindings
from tests.integration.gateways.conftest import TABLE
from tests.integration.gateways.examples import SCAN_ID, a_finding, a_scan

SOURCE = ReportKey(SCAN_ID, 7, 3)


def a_host(*numbers: int, address: str = "10.0.0.5", **changes: Any) -> HostFindings:
    return HostFindings(address, [a_finding(number, **changes) for number in numbers], place=12)


def put(item: Item) -> None:
    clients.dynamodb().put_item(TableName=TABLE, Item=item)


@pytest.fixture
def unreadable() -> Iterator[list[UnreadableItem]]:
    errors: list[UnreadableItem] = []
    before = list(stored._listeners)
    stored.listen(errors.append)
    yield errors
    stored._listeners[:] = before


def test_a_short_item_is_plain_text_and_a_longer_one_is_packed() -> None:
    (short,) = host_items(SCAN_ID, a_host(1), source=SOURCE)
    assert short == {
        "pk": {"S": f"findings/{SCAN_ID}/hosts"},
        "sk": {"S": "4.0a000005/000007.0003/000000000012/0000"},
        "findings": {"N": "1"},
        "body": {"S": msgspec.json.encode(a_finding(1)).decode()},
    }
    (long,) = host_items(SCAN_ID, a_host(*range(20)), source=SOURCE)
    assert len(long["body"]["B"]) < 2_000
    assert zlib.decompress(long["body"]["B"]).split(b"\n") == [msgspec.json.encode(a_finding(n)) for n in range(20)]


def test_pages_are_in_order_also_when_there_are_many() -> None:
    findings = [a_finding(n, description="x" * 200_000) for n in range(1_100)]
    items = list(host_items(SCAN_ID, HostFindings("10.0.0.5", findings)))
    assert len(items) == 1_100
    keys = [item["sk"]["S"] for item in items]
    assert keys == sorted(keys)


def test_a_damaged_item_costs_no_other_host_its_findings(
    dynamo_table: DynamoScanTable, unreadable: list[UnreadableItem]
) -> None:
    dynamo_table.put_findings(SCAN_ID, [a_host(n, address=f"10.0.0.{n}") for n in range(5)])
    items = [next(host_items(SCAN_ID, a_host(n, address=f"10.0.0.{n}"))) for n in range(5)]
    put(items[1] | {"body": {"B": b"\x78\x9c damaged"}})
    put(items[2] | {"body": {"B": zlib.compress(b'{"id":' * 99)[:-5]}})  # cut off
    put({name: value for name, value in items[3].items() if name != "body"})
    assert list(dynamo_table.findings(SCAN_ID)) == [a_finding(0), a_finding(4)]
    assert len(unreadable) == 3


def test_a_finding_that_cannot_be_read_costs_no_other_of_its_host(
    dynamo_table: DynamoScanTable, unreadable: list[UnreadableItem]
) -> None:
    (item,) = host_items(SCAN_ID, a_host(*range(4)))
    lines = read_lines(item)
    lines[1] = lines[1].replace(b'"INFORMATIONAL"', b'"CRITICAL"')  # of a later version
    lines[2] = b'{"id":"a'
    put(item | {"body": {"B": zlib.compress(b"\n".join(lines))}})
    put(next(host_items(SCAN_ID, a_host(9), source=SOURCE)))  # the address has two items
    assert list(dynamo_table.findings(SCAN_ID)) == [a_finding(0), a_finding(3), a_finding(9)]
    assert len(unreadable) == 2
    assert "a finding in the table" in str(unreadable[0])


def test_an_item_that_unpacks_to_more_than_its_limit_is_skipped(
    dynamo_table: DynamoScanTable, unreadable: list[UnreadableItem]
) -> None:
    (item,) = host_items(SCAN_ID, a_host(1))
    put(item | {"body": {"B": zlib.compress(b" " * (MAX_UNPACKED_BYTES + 1))}})
    assert list(dynamo_table.findings(SCAN_ID)) == []
    assert "longer than" in str(unreadable[0])


class TestLayout1:
    @pytest.fixture
    def table(self, dynamo_table: DynamoScanTable) -> DynamoScanTable:
        """With a scan that an earlier version accepted."""
        dynamo_table.create_scan(a_scan())
        table = clients.dynamodb()
        table.update_item(
            TableName=TABLE,
            Key=scan_key(SCAN_ID),
            UpdateExpression="SET spread = :spread REMOVE layout",
            ExpressionAttributeValues={":spread": {"N": "1"}},
        )
        return DynamoScanTable(TABLE)

    def test_findings_are_written_read_and_removed_as_before(self, table: DynamoScanTable) -> None:
        findings = sorted([a_finding(n) for n in range(60)], key=lambda finding: finding.id)
        put(finding_item(SCAN_ID, findings[0], 1))
        table.put_findings(SCAN_ID, [HostFindings("10.0.0.5", findings[1:])], SOURCE)
        assert list(table.findings(SCAN_ID)) == findings
        assert table.remove_scan(SCAN_ID, 1_000)
        assert clients.dynamodb().scan(TableName=TABLE)["Items"] == []

    def test_findings_that_are_migrated_while_they_are_read_are_read_again(self, table: DynamoScanTable) -> None:
        table.put_findings(SCAN_ID, [HostFindings("10.0.0.5", [a_finding(1), a_finding(2)])])
        findings = table.findings(SCAN_ID)
        next(findings)
        clients.dynamodb().update_item(
            TableName=TABLE,
            Key=scan_key(SCAN_ID),
            UpdateExpression="SET layout = :layout",
            ExpressionAttributeValues={":layout": {"N": "2"}},
        )
        with pytest.raises(GatewayUnavailable, match="migrated while they were read"):
            list(findings)


def test_the_line_in_the_data_model_prints_the_findings_of_items() -> None:
    document = Path("docs/data-model.md").read_text()
    program = textwrap.dedent(document.partition('python3 -c "\n')[2].partition('"\n')[0])
    items = [next(host_items(SCAN_ID, host)) for host in (a_host(1), a_host(*range(2, 30)))]
    answer = msgspec.json.encode({"Items": items})
    printed = subprocess.run([sys.executable, "-c", program], input=answer, capture_output=True, check=True).stdout
    assert printed.splitlines() == [msgspec.json.encode(a_finding(n)) for n in range(1, 30)]
