"""ScanTable's contract: shards. Every test runs on the fake and on DynamoDB."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cascan.gateways import ScanTable
from cascan.ids import scan_id_of
from cascan.model.scan import Outcome, Scan
from cascan.model.shard import OPEN_STATES, NmapRun, Shard, ShardClosing, ShardState, TargetSlice
from tests.integration.gateways.examples import CLOSING, RUN, SCAN_ID, a_scan, a_shard

CLOSED_STATES = sorted(set(ShardState) - OPEN_STATES)
FAILING = ShardClosing(state=ShardState.FAILED, outcome=Outcome.FAILED, error_description="out of attempts")


class TestShards:
    @pytest.mark.parametrize(
        "shard",
        [
            a_shard(),
            a_shard(999_999, state=ShardState.RUNNING, attempt=2, worker="task/1"),
            a_shard(1, state=ShardState.RECORDED, run=RUN, outcome=Outcome.PARTIAL, error_description="cut short"),
            a_shard(2, slices=tuple(TargetSlice(f"{n}.example.internal", n, n + 1) for n in range(512))),
            a_shard(3, slices=(), arguments=(), exclude=()),
        ],
        ids=["queued", "running", "recorded", "long", "empty"],
    )
    def test_a_shard_is_read_as_it_was_stored(self, table: ScanTable, shard: Shard) -> None:
        table.add_shards([shard])
        assert table.get_shard(SCAN_ID, shard.number) == shard

    def test_a_shard_nobody_stored_is_none(self, table: ScanTable) -> None:
        table.add_shards([a_shard(0)])
        assert table.get_shard(SCAN_ID, 1) is None

    def test_shards_are_read_in_order_of_their_number_and_of_their_scan_alone(self, table: ScanTable) -> None:
        table.create_scan(a_scan())
        table.add_shards([a_shard(n) for n in (10, 2, 1, 100)])
        table.add_shards([a_shard(3, scan_id=scan_id_of("another"))])
        assert [shard.number for shard in table.shards(SCAN_ID)] == [1, 2, 10, 100]

    def test_shards_that_are_there_stay_and_the_missing_ones_are_stored(self, table: ScanTable) -> None:
        table.add_shards([a_shard(0), a_shard(150)])
        table.claim_shard(SCAN_ID, 150, 1, "task/1")
        table.add_shards(a_shard(n, addresses=1) for n in range(201))
        shards = list(table.shards(SCAN_ID))
        assert len(shards) == 201
        assert shards[0] == a_shard(0)
        assert shards[150] == a_shard(150, state=ShardState.RUNNING, attempt=1, worker="task/1")
        assert {shard.addresses for shard in shards} == {1, 256}

    def test_no_shards_are_nothing_to_add(self, table: ScanTable) -> None:
        table.add_shards([])
        assert list(table.shards(SCAN_ID)) == []

    def test_a_queued_shard_is_claimed_whole(self, table: ScanTable) -> None:
        table.add_shards([a_shard()])
        claimed = a_shard(state=ShardState.RUNNING, attempt=1, worker="task/1")
        assert table.claim_shard(SCAN_ID, 0, 1, "task/1") == claimed
        assert table.get_shard(SCAN_ID, 0) == claimed

    @pytest.mark.parametrize("attempt", [1, 2])
    def test_a_running_shard_is_not_claimed_by_its_own_or_an_earlier_attempt(
        self, table: ScanTable, attempt: int
    ) -> None:
        table.add_shards([a_shard()])
        table.claim_shard(SCAN_ID, 0, 2, "task/1")
        assert table.claim_shard(SCAN_ID, 0, attempt, "task/2") is None
        assert table.get_shard(SCAN_ID, 0) == a_shard(state=ShardState.RUNNING, attempt=2, worker="task/1")

    def test_a_later_attempt_takes_a_running_shard_over(self, table: ScanTable) -> None:
        table.add_shards([a_shard()])
        table.claim_shard(SCAN_ID, 0, 2, "task/1")
        assert table.claim_shard(SCAN_ID, 0, 10, "task/2") is not None
        assert table.get_shard(SCAN_ID, 0) == a_shard(state=ShardState.RUNNING, attempt=10, worker="task/2")

    def test_a_reported_shard_whose_report_never_came_is_claimed_by_a_later_attempt_alone(
        self, table: ScanTable
    ) -> None:
        table.add_shards([a_shard(state=ShardState.REPORTED, attempt=1)])
        assert table.claim_shard(SCAN_ID, 0, 1, "task/2") is None
        assert table.claim_shard(SCAN_ID, 0, 2, "task/2") is not None

    @pytest.mark.parametrize("state", sorted(CLOSED_STATES))
    def test_a_closed_shard_is_not_claimed(self, table: ScanTable, state: ShardState) -> None:
        table.add_shards([a_shard(state=state, attempt=1)])
        assert table.claim_shard(SCAN_ID, 0, 2, "task/2") is None
        assert table.get_shard(SCAN_ID, 0) == a_shard(state=state, attempt=1)

    def test_a_shard_nobody_stored_is_not_claimed(self, table: ScanTable) -> None:
        assert table.claim_shard(SCAN_ID, 0, 1, "task/1") is None
        assert table.get_shard(SCAN_ID, 0) is None

    @pytest.mark.parametrize("run", [RUN, NmapRun()], ids=["full", "empty"])
    def test_a_run_is_reported_by_the_attempt_that_holds_the_shard(self, table: ScanTable, run: NmapRun) -> None:
        table.add_shards([a_shard()])
        table.claim_shard(SCAN_ID, 0, 2, "task/1")
        assert not table.report_shard(SCAN_ID, 0, 1, NmapRun(exit_code=9))
        assert not table.report_shard(SCAN_ID, 0, 3, NmapRun(exit_code=9))
        assert table.report_shard(SCAN_ID, 0, 2, run)
        expected = a_shard(state=ShardState.REPORTED, attempt=2, worker="task/1", run=run)
        assert table.get_shard(SCAN_ID, 0) == expected

    def test_reporting_a_run_twice_is_reporting_it_once(self, table: ScanTable) -> None:
        table.add_shards([a_shard()])
        table.claim_shard(SCAN_ID, 0, 1, "task/1")
        assert [table.report_shard(SCAN_ID, 0, 1, RUN) for _ in range(2)] == [True, True]

    @pytest.mark.parametrize("state", [ShardState.QUEUED, *CLOSED_STATES])
    def test_a_run_is_not_reported_of_a_shard_that_nobody_holds(self, table: ScanTable, state: ShardState) -> None:
        table.add_shards([a_shard(state=state, attempt=1)])
        assert not table.report_shard(SCAN_ID, 0, 1, RUN)
        assert not table.report_shard(SCAN_ID, 1, 1, RUN)
        assert table.get_shard(SCAN_ID, 0) == a_shard(state=state, attempt=1)


class TestClosingShards:
    @pytest.mark.parametrize("state", sorted(OPEN_STATES))
    def test_an_open_shard_closes_and_is_counted_in_its_scan(self, table: ScanTable, state: ShardState) -> None:
        table.create_scan(a_scan())
        table.add_shards([a_shard(state=state, attempt=1, run=RUN)])
        assert table.close_shard(SCAN_ID, 0, CLOSING)
        closed = a_shard(state=ShardState.RECORDED, attempt=1, run=RUN, outcome=Outcome.COMPLETE)
        assert table.get_shard(SCAN_ID, 0) == closed
        scan = _scan(table)
        assert (scan.shards_open, scan.hosts_up, scan.findings.count) == (1, 2, 3)
        assert scan.shard_outcomes == {"complete": 1}
        assert scan.findings.severities == CLOSING.severities
        assert scan.findings.categories == CLOSING.categories

    def test_shards_add_up_in_their_scan(self, table: ScanTable) -> None:
        table.create_scan(a_scan(shards_open=3))
        table.add_shards(a_shard(n) for n in range(3))
        for number, closing in enumerate([CLOSING, FAILING, CLOSING]):
            assert table.close_shard(SCAN_ID, number, closing)
        scan = _scan(table)
        assert (scan.shards_open, scan.hosts_up, scan.findings.count) == (0, 4, 6)
        assert scan.shard_outcomes == {"complete": 2, "failed": 1}
        assert scan.findings.severities == {"HIGH": 2, "INFORMATIONAL": 4}
        assert scan.findings.categories == {"Open Port": 4, "odd #name: -- ü.x": 2}

    def test_counting_shards_leaves_the_rest_of_the_scan_as_it_is(self, table: ScanTable) -> None:
        table.create_scan(a_scan())
        table.add_shards([a_shard()])
        table.close_shard(SCAN_ID, 0, FAILING)
        assert _scan(table) == a_scan(shards_open=1, shard_outcomes={"failed": 1})
        shard = a_shard(state=ShardState.FAILED, outcome=Outcome.FAILED, error_description="out of attempts")
        assert table.get_shard(SCAN_ID, 0) == shard

    def test_a_shard_closes_and_is_counted_once(self, table: ScanTable) -> None:
        table.create_scan(a_scan())
        table.add_shards([a_shard()])
        table.close_shard(SCAN_ID, 0, CLOSING)
        before = _scan(table)
        assert not table.close_shard(SCAN_ID, 0, FAILING)
        assert not table.close_shard(SCAN_ID, 0, CLOSING)
        assert _scan(table) == before

    def test_a_shard_nobody_stored_is_not_counted(self, table: ScanTable) -> None:
        table.create_scan(a_scan())
        assert not table.close_shard(SCAN_ID, 0, CLOSING)
        assert _scan(table) == a_scan()

    def test_a_shard_without_its_scan_stays_open(self, table: ScanTable) -> None:
        table.add_shards([a_shard()])
        assert not table.close_shard(SCAN_ID, 0, CLOSING)
        assert table.get_shard(SCAN_ID, 0) == a_shard()
        assert table.get_scan(SCAN_ID) is None

    def test_a_kind_that_was_counted_as_none_is_not_counted(self, table: ScanTable) -> None:
        table.create_scan(a_scan())
        table.add_shards([a_shard()])
        table.close_shard(SCAN_ID, 0, replace(CLOSING, severities={"HIGH": 0, "LOW": 1}, categories={"Host": 0}))
        assert _scan(table).findings.severities == {"LOW": 1}
        assert _scan(table).findings.categories == {}


def _scan(table: ScanTable) -> Scan:
    scan = table.get_scan(SCAN_ID)
    assert scan is not None
    return scan
