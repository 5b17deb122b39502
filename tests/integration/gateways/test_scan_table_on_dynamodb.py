"""DynamoScanTable: what only DynamoDB does. Partial answers, cancelled transactions, pages, times to live."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import repeat
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from msgspec.structs import replace

from cascan.aws import clients
from cascan.aws.boundary import MAX_TRIES
from cascan.aws.dynamodb.wire import Item
from cascan.aws.tables import items, shard_actions
from cascan.aws.tables.items import scan_key, shard_key
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.errors import GatewayUnavailable, Rejected
from cascan.findings.by_host import group_by_host
from cascan.ids import ReportKey, derive_shard_token
from cascan.model.finding import HostFindings
from cascan.model.inventory import InventoryQuery
from cascan.model.scan import ScanState
from cascan.model.shard import Lane, ShardCut, ShardState, TargetSlice
from tests.integration.gateways.conftest import TABLE, Script
from tests.integration.gateways.examples import (
    AT,
    CLOSING,
    RUN,
    SCAN_ID,
    a_finding,
    a_scan,
    a_shard,
    a_sighting,
    an_ended_scan,
    an_update,
)
from tests.support.builders import claim


def cancelled(*codes: str) -> ClientError:
    response: Any = {
        "Error": {"Code": "TransactionCanceledException"},
        "CancellationReasons": [{"Code": c} for c in codes],
    }
    return clients.dynamodb().exceptions.TransactionCanceledException(response, "TransactWriteItems")


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "why"}}, "AnyOperation")


class TestPartialAnswers:
    @pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
    def test_a_transaction_that_met_another_is_tried_again(
        self, dynamo_table: DynamoScanTable, script: Script, code: str
    ) -> None:
        dynamo_table.create_scan(a_scan())
        dynamo_table.add_shards([a_shard()])
        requests = script(clients.dynamodb(), "transact_write_items", [cancelled("None", code)] * 3)
        assert dynamo_table.close_shard(SCAN_ID, 0, CLOSING)
        assert len(requests) == 4

    def test_a_transaction_that_keeps_meeting_others_is_an_error(
        self, dynamo_table: DynamoScanTable, script: Script
    ) -> None:
        conflict = cancelled("None", "TransactionConflict")
        requests = script(clients.dynamodb(), "transact_write_items", repeat(conflict))
        with pytest.raises(GatewayUnavailable, match="scan table: other writers") as caught:
            dynamo_table.close_shard(SCAN_ID, 0, CLOSING)
        assert caught.value.__cause__ is conflict
        assert len(requests) == MAX_TRIES

    def test_a_condition_that_failed_beside_a_conflict_is_an_answer(
        self, dynamo_table: DynamoScanTable, script: Script
    ) -> None:
        both = cancelled("ConditionalCheckFailed", "TransactionConflict")
        requests = script(clients.dynamodb(), "transact_write_items", repeat(both))
        assert not dynamo_table.close_shard(SCAN_ID, 0, CLOSING)
        assert len(requests) == 1

    def test_a_transaction_that_can_never_succeed_is_not_tried_again(
        self, dynamo_table: DynamoScanTable, script: Script
    ) -> None:
        requests = script(clients.dynamodb(), "transact_write_items", repeat(cancelled("ValidationError", "None")))
        with pytest.raises(GatewayUnavailable, match="TransactionCanceledException"):
            dynamo_table.close_shard(SCAN_ID, 0, CLOSING)
        assert len(requests) == 1

    def test_an_update_of_an_item_in_a_transaction_is_tried_again(
        self, dynamo_table: DynamoScanTable, script: Script
    ) -> None:
        dynamo_table.create_scan(a_scan())
        requests = script(clients.dynamodb(), "update_item", [refused("TransactionConflictException")] * 2)
        assert dynamo_table.advance_scan(SCAN_ID, ScanState.CANCELLED, expected=[ScanState.SCANNING])
        assert len(requests) == 3

    def test_an_update_that_keeps_meeting_transactions_is_an_error(
        self, dynamo_table: DynamoScanTable, script: Script
    ) -> None:
        requests = script(clients.dynamodb(), "update_item", repeat(refused("TransactionConflictException")))
        with pytest.raises(GatewayUnavailable, match="scan table: other writers"):
            claim(dynamo_table, scan_id=SCAN_ID)
        assert len(requests) == MAX_TRIES

    @pytest.mark.parametrize("cause", [refused("AccessDeniedException"), EndpointConnectionError(endpoint_url="x")])
    def test_an_error_of_the_client_becomes_the_cause_of_the_translated_error(
        self, dynamo_table: DynamoScanTable, script: Script, cause: Exception
    ) -> None:
        for operation in ("get_item", "put_item", "update_item", "query", "transact_write_items", "batch_get_item"):
            script(clients.dynamodb(), operation, repeat(cause))
        for call in _every_call(dynamo_table):
            with pytest.raises(GatewayUnavailable, match="scan table: ") as caught:
                call()
            assert caught.value.__cause__ is cause


def _every_call(table: DynamoScanTable) -> Iterator[Any]:
    yield lambda: table.create_scan(a_scan())
    yield lambda: table.get_scan(SCAN_ID)
    yield lambda: list(table.list_scans(1))
    yield lambda: table.mark_announced(SCAN_ID)
    yield lambda: table.add_shards([a_shard()])
    yield lambda: list(table.shards(SCAN_ID))
    yield lambda: table.get_shard(SCAN_ID, 0)
    yield lambda: table.close_shard(SCAN_ID, 0, CLOSING)
    yield lambda: table.put_findings(SCAN_ID, group_by_host([a_finding()]))
    yield lambda: table.known_hosts(["10.0.0.5"])
    yield lambda: table.save_hosts(ReportKey(SCAN_ID, 0, 1), [an_update()])
    yield lambda: list(table.hosts(InventoryQuery()))
    yield lambda: list(table.known_addresses(4, 0, 9))
    yield lambda: table.note_asked(4, [(0, 9)], a_sighting())
    yield lambda: list(table.asked(4, 0, 9))
    yield lambda: list(table.changes(SCAN_ID, 0))


class TestPages:
    def test_pages_of_shards_are_read_when_they_are_needed(self, dynamo_table: DynamoScanTable, script: Script) -> None:
        dynamo_table.add_shards(map(a_shard, range(7)))
        query = clients.dynamodb().query
        requests = script(clients.dynamodb(), "query", repeat(lambda request: query(**request, Limit=2)))
        shards = dynamo_table.shards(SCAN_ID)
        assert not requests
        next(shards)
        assert len(requests) == 1
        assert [shard.number for shard in shards] == [1, 2, 3, 4, 5, 6]
        assert len(requests) == 4

    def test_a_listing_reads_no_more_than_its_limit(self, dynamo_table: DynamoScanTable, script: Script) -> None:
        for number in range(5):
            dynamo_table.create_scan(a_scan(f"scan {number}", requested_at=AT + timedelta(number)))
        requests = script(clients.dynamodb(), "query", ())
        assert len(list(dynamo_table.list_scans(2))) == 2
        assert [request["Limit"] for request in requests] == [2]


class TestLargeWrites:
    def test_long_shards_travel_in_transactions_of_less_than_four_megabytes(
        self, dynamo_table: DynamoScanTable, script: Script
    ) -> None:
        requests = script(clients.dynamodb(), "transact_write_items", ())
        noise = random.Random(1).randbytes(60_000).hex()  # noqa: S311  # the same noise in every run
        dynamo_table.add_shards(a_shard(number, arguments=("-p", noise)) for number in range(100))
        bodies = [[len(put["Put"]["Item"]["body"]["B"]) for put in request["TransactItems"]] for request in requests]
        assert len(bodies) == 2
        assert all(sum(transaction) < 4_000_000 for transaction in bodies)
        assert len(list(dynamo_table.shards(SCAN_ID))) == 100

    def test_many_shards_close_in_few_transactions_none_above_the_limits_of_one(
        self, dynamo_table: DynamoScanTable, script: Script
    ) -> None:
        dynamo_table.create_scan(a_scan(shards=220, shards_open=220, shards_in_flight=220))
        noise = random.Random(1).randbytes(60_000).hex()  # noqa: S311  # the same noise in every run
        dynamo_table.add_shards(a_shard(n, arguments=("-p", noise if n < 120 else "22")) for n in range(220))
        shards = list(dynamo_table.shards(SCAN_ID))
        requests = script(clients.dynamodb(), "transact_write_items", ())
        assert dynamo_table.close_shards(SCAN_ID, shards, CLOSING) == 220
        touched = [[action["Update"]["Key"]["sk"]["S"] for action in request["TransactItems"]] for request in requests]
        assert max(map(len, touched)) <= 100
        assert max(sum(key < "000120" for key in keys) for keys in touched) * 60_000 < 4_000_000
        assert len(touched) == 4

    def test_shards_that_moved_since_they_were_read_do_not_keep_the_others_open(
        self, dynamo_table: DynamoScanTable, script: Script
    ) -> None:
        dynamo_table.create_scan(a_scan(shards=3, shards_open=3, shards_in_flight=2, shards_waiting=1))
        dynamo_table.add_shards([a_shard(0), a_shard(1), a_shard(2, state=ShardState.WAITING)])
        shards = list(dynamo_table.shards(SCAN_ID))
        assert dynamo_table.hold_shard(SCAN_ID, 1)  # it waits now: the counters of its transaction would be wrong
        requests = script(clients.dynamodb(), "transact_write_items", ())
        assert dynamo_table.close_shards(SCAN_ID, shards, CLOSING) == 2
        assert len(requests) == 2
        assert [shard.state for shard in dynamo_table.shards(SCAN_ID)] == ["recorded", "waiting", "recorded"]
        assert dynamo_table.close_shards(SCAN_ID, dynamo_table.shards(SCAN_ID), CLOSING) == 1
        scan = dynamo_table.get_scan(SCAN_ID)
        assert scan
        assert (scan.shards_open, scan.shards_waiting, scan.shards_in_flight) == (0, 0, 0)

    def test_shards_that_are_there_already_cost_one_transaction_more_and_stay(
        self, dynamo_table: DynamoScanTable, script: Script
    ) -> None:
        dynamo_table.add_shards(a_shard(n, worker="first") for n in range(0, 100, 2))
        requests = script(clients.dynamodb(), "transact_write_items", ())
        dynamo_table.add_shards(a_shard(n) for n in range(100))
        assert len(requests) == 2
        assert [shard.worker for shard in dynamo_table.shards(SCAN_ID)] == ["first", ""] * 50

    def test_a_removal_asks_for_the_changes_of_shards_that_ran_and_of_no_others(
        self, dynamo_table: DynamoScanTable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dynamo_table.create_scan(a_scan(shards=200))
        dynamo_table.add_shards(a_shard(n, attempt=int(n == 7)) for n in range(200))
        keys, asked = dynamo_table._table.keys, list[str]()

        def noted(pk: str) -> Iterator[Item]:
            asked.append(pk)
            return keys(pk)

        monkeypatch.setattr(dynamo_table._table, "keys", noted)
        assert dynamo_table.remove_scan(SCAN_ID, 1_000)
        assert [pk for pk in asked if pk.startswith("changes/")] == [f"changes/{SCAN_ID}/000007"]
        assert dynamo_table.get_scan(SCAN_ID) is None


class TestRaces:
    def test_a_cut_of_a_shard_that_was_taken_over_since_it_was_read_changes_nothing(
        self, dynamo_table: DynamoScanTable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dynamo_table.create_scan(a_scan(shards=1, shards_open=1))
        dynamo_table.add_shards([a_shard()])
        first = claim(dynamo_table, scan_id=SCAN_ID)
        second = claim(dynamo_table, scan_id=SCAN_ID)  # its message came again
        before = dynamo_table.get_scan(SCAN_ID)
        assert first
        assert second
        monkeypatch.setattr(dynamo_table, "get_shard", lambda *_: first)  # as it was read, just before
        half = (TargetSlice("10.0.0.0/24", 0, 128),)
        cut = ShardCut(run=RUN, done=half, remaining=half, lane=Lane.RAW, to=ShardState.QUEUED)
        assert dynamo_table.cut_shard(SCAN_ID, 0, first.attempt, cut) is None
        monkeypatch.undo()
        assert dynamo_table.get_shard(SCAN_ID, 0) == second
        assert (dynamo_table.get_shard(SCAN_ID, 1), dynamo_table.get_scan(SCAN_ID)) == (None, before)


class TestTimeToLive:
    def test_an_item_whose_time_is_over_is_not_read(self, dynamo_table: DynamoScanTable) -> None:
        dynamo_table.create_scan(a_scan())
        dynamo_table.create_scan(a_scan("another"))
        dynamo_table.add_shards([a_shard(0), a_shard(1)])
        at = DynamoScanTable(TABLE, clock=lambda: AT)
        later = DynamoScanTable(TABLE, clock=lambda: AT + timedelta(minutes=2))
        for key in (scan_key(SCAN_ID), shard_key(SCAN_ID, 0, derive_shard_token(a_scan().shard_secret, 0))):
            _expire(key, at_s=int(AT.timestamp()) + 60)
        assert at.get_scan(SCAN_ID) == a_scan()
        assert later.get_scan(SCAN_ID) is None
        assert later.get_shard(SCAN_ID, 0) is None
        assert [shard.number for shard in later.shards(SCAN_ID)] == [1]
        assert list(later.list_scans(5)) == [a_scan("another")]


def _expire(key: Item, at_s: int) -> None:
    clients.dynamodb().update_item(
        TableName=TABLE,
        Key=key,
        UpdateExpression="SET expires_at = :at",
        ExpressionAttributeValues={":at": {"N": str(at_s)}},
    )


class TestItems:
    def test_what_is_changed_or_counted_is_an_attribute_of_its_own(self, dynamo_table: DynamoScanTable) -> None:
        scan = an_ended_scan()
        dynamo_table.create_scan(scan)
        item = clients.dynamodb().get_item(TableName=TABLE, Key=scan_key(scan.scan_id))["Item"]
        assert '"state"' not in item.pop("body")["S"]
        assert item == {
            "pk": {"S": f"scan/{scan.scan_id}"},
            "sk": {"S": "scan"},
            "listing": {"S": "scans"},
            "listed_at": {"S": f"2026-03-01T12:30:15.123Z#{scan.scan_id}"},
            "state": {"S": "Done"},
            "announced": {"BOOL": True},
            "outcome": {"S": "timed-out"},
            "finished_at": {"S": "2026-03-01T13:30:15.123456Z"},
            "error_description": {"S": "one host was slow"},
            "shards": {"N": "2"},
            "shards_open": {"N": "0"},
            "shards_waiting": {"N": "0"},
            "shards_in_flight": {"N": "0"},
            "parallel": {"N": "1000000"},
            "shard_outcomes": {"M": {"complete": {"N": "1"}, "timed-out": {"N": "1"}}},
            "findings": {"N": "3"},
            "severities": {"M": {"LOW": {"N": "3"}}},
            "categories": {"M": {"Open Port": {"N": "3"}}},
            "hosts_up": {"N": "7"},
            "changes": {"M": {"PortOpened": {"N": "4"}}},
            "extra_addresses": {"N": "0"},
            "layout": {"N": "2"},
            "shard_secret": {"S": "a secret"},
            "spread": {"N": "0"},
        }

    def test_a_long_body_is_packed_so_that_counting_shards_stays_cheap(self, dynamo_table: DynamoScanTable) -> None:
        dynamo_table.create_scan(a_scan(notes=tuple(f"10.0.{n}.0/24" for n in range(256)) * 10))
        item = clients.dynamodb().get_item(TableName=TABLE, Key=scan_key(SCAN_ID))["Item"]
        assert len(item["body"]["B"]) < 4_096

    @pytest.mark.parametrize(("probes", "partitions"), [(9_999, 1), (10_000, 16), (10_000_000, 16)])
    def test_networks_are_spread_over_more_partitions_the_more_findings_there_may_be(
        self, dynamo_table: DynamoScanTable, probes: int, partitions: int
    ) -> None:
        dynamo_table.create_scan(a_scan(probes=probes))
        networks = [HostFindings(f"10.{n >> 8}.{n & 255}.7", [a_finding(n)]) for n in range(2_000)]
        dynamo_table.put_findings(SCAN_ID, networks)
        pages = clients.dynamodb().get_paginator("scan").paginate(TableName=TABLE)
        held = Counter(
            item["pk"]["S"] for page in pages for item in page["Items"] if item["pk"]["S"].startswith("findings/")
        )
        assert len(held) == partitions
        assert max(held.values()) < 4 * 2_000 / partitions

    def test_a_scan_keeps_the_spread_it_was_created_with(
        self, dynamo_table: DynamoScanTable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dynamo_table.create_scan(a_scan(probes=10_000))
        dynamo_table.put_findings(SCAN_ID, group_by_host([a_finding()]))
        monkeypatch.setattr(items, "SPREAD_AT_PROBES", (1, 1_000))
        assert list(DynamoScanTable(TABLE).findings(SCAN_ID)) == [a_finding()]

    def test_a_shard_that_no_item_can_hold_is_rejected(self, dynamo_table: DynamoScanTable) -> None:
        noise = random.Random(1).randbytes(600_000).hex()  # noqa: S311  # the same noise in every run
        with pytest.raises(Rejected, match="does not hold 1200"):
            dynamo_table.add_shards([a_shard(arguments=(noise,))])

    def test_a_shard_with_more_kinds_of_findings_than_an_update_takes_counts_the_rest_as_one(
        self, dynamo_table: DynamoScanTable, script: Script
    ) -> None:
        dynamo_table.create_scan(a_scan())
        dynamo_table.add_shards([a_shard()])
        requests = script(clients.dynamodb(), "transact_write_items", ())
        many = {f"category {n} " + "x" * 100: 1000 - n for n in range(500)}
        dynamo_table.close_shard(SCAN_ID, 0, replace(CLOSING, categories=many))
        scan = dynamo_table.get_scan(SCAN_ID)
        assert scan is not None
        assert sum(scan.findings.categories.values()) == sum(many.values())
        assert set(list(many)[: shard_actions.MAX_KINDS]) | {shard_actions.OTHER_KINDS} == set(scan.findings.categories)
        assert (
            len(requests[0]["TransactItems"][1]["Update"]["UpdateExpression"]) < 4_096 / 2
        )  # severities may be as many

    def test_a_run_longer_than_a_plain_body_is_stored(self, dynamo_table: DynamoScanTable) -> None:
        run = replace(RUN, stderr="x" * 10_000)
        dynamo_table.add_shards([a_shard(state="running", attempt=1)])
        dynamo_table.report_shard(SCAN_ID, 0, 1, run)
        shard = dynamo_table.get_shard(SCAN_ID, 0)
        assert shard is not None
        assert shard.run == run


class TestEarlierLayout:
    """A scan that the version before this layout accepted, some of whose shards were moved."""

    @staticmethod
    def stored(table: DynamoScanTable) -> None:
        table.create_scan(a_scan(shard_secret="", shards=3, shards_open=3))
        key = scan_key(SCAN_ID)
        clients.dynamodb().update_item(TableName=TABLE, Key=key, UpdateExpression="REMOVE layout, shard_secret")
        for number in range(3):
            item = items.shard_item(a_shard(number), items.earlier_shard_key(SCAN_ID, number))
            clients.dynamodb().put_item(TableName=TABLE, Item=item)

    def test_its_shards_stay_where_they_are_and_one_moves_to_where_a_worker_reaches_it(
        self, dynamo_table: DynamoScanTable
    ) -> None:
        self.stored(dynamo_table)
        assert [shard.number for shard in dynamo_table.shards(SCAN_ID)] == [0, 1, 2]
        token = dynamo_table.move_shard(SCAN_ID, 1)
        assert token == dynamo_table.move_shard(SCAN_ID, 1) == DynamoScanTable(TABLE).move_shard(SCAN_ID, 1)
        assert dynamo_table.get_shard(SCAN_ID, 1, token=token) == a_shard(1)
        assert [shard.number for shard in dynamo_table.shards(SCAN_ID)] == [0, 1, 2]
        for number in range(3):
            assert dynamo_table.get_shard(SCAN_ID, number) == a_shard(number)
            assert dynamo_table.close_shard(SCAN_ID, number, CLOSING)
        scan = dynamo_table.get_scan(SCAN_ID)
        assert scan
        assert (scan.shards_open, scan.shard_secret) == (0, "")
        assert dynamo_table.remove_scan(SCAN_ID, 100)
        assert clients.dynamodb().scan(TableName=TABLE)["Items"] == []

    def test_a_shard_that_a_worker_claims_meanwhile_is_not_moved(
        self, dynamo_table: DynamoScanTable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.stored(dynamo_table)
        transact = dynamo_table._table.transact

        def claimed_first(actions: list[dict[str, Any]]) -> dict[int, Item]:
            assert DynamoScanTable(TABLE).claim_shard(
                SCAN_ID, 0, worker="earlier", message_id="m", lease_until=AT, now=AT
            )
            return transact(actions)

        monkeypatch.setattr(dynamo_table._table, "transact", claimed_first)
        assert dynamo_table.move_shard(SCAN_ID, 0) == ""
        monkeypatch.undo()
        shard = dynamo_table.get_shard(SCAN_ID, 0)
        assert shard
        assert (shard.worker, shard.attempt) == ("earlier", 1)
        assert dynamo_table.move_shard(SCAN_ID, 9) == ""
