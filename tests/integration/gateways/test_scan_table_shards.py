"""ScanTable's contract: shards. Every test runs on the fake and on DynamoDB."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from cascan.gateways import ScanTable
from cascan.ids import derive_scan_id, derive_shard_token
from cascan.model.reason import Reason, ReasonCode, Reasons
from cascan.model.scan import FINAL_STATES, UNDER_WAY, Outcome, Scan, ScanState
from cascan.model.shard import (
    IN_FLIGHT,
    LOST,
    OPEN_STATES,
    Lane,
    NmapRun,
    Progress,
    ProposedCut,
    Shard,
    ShardClosing,
    ShardCut,
    ShardReturn,
    ShardState,
    TargetSlice,
)
from cascan.model.usage import Capacity, ScanCost, Usage
from tests.integration.gateways.examples import AT, CLOSING, RUN, SCAN_ID, a_scan, a_shard
from tests.support import builders

CLOSED_STATES = sorted(set(ShardState) - OPEN_STATES)
WAITING = ShardState.WAITING
claim = partial(builders.claim, scan_id=SCAN_ID, message_id="message 1", now=AT, lease_until=AT + timedelta(minutes=1))
HELD: dict[str, Any] = {
    "worker": "worker",
    "message_id": "message 1",
    "lease_until": AT + timedelta(minutes=1),
    "claimed_at": AT,
}
CUT = ShardCut(
    run=replace(RUN, stopped="SIGTERM", cut=True),
    done=(TargetSlice("10.0.0.0/24", 0, 50),),
    remaining=(TargetSlice("10.0.0.0/24", 50, 256),),
    lane=Lane.CONNECT,
    to=ShardState.QUEUED,
    failed=True,
    error_description="nmap was killed",
)
BACK = ShardReturn(to=ShardState.QUEUED, failed=True, error_description="nmap was killed", stderr="Killed")
FAILING = ShardClosing(state=ShardState.FAILED, outcome=Outcome.FAILED, error_description="out of attempts")


class TestShards:
    @pytest.mark.parametrize(
        "shard",
        [
            a_shard(),
            a_shard(999_999, state=ShardState.RUNNING, attempt=2, worker="task/1"),
            a_shard(1, state=ShardState.RECORDED, run=RUN, outcome=Outcome.PARTIAL, error_description="cut short"),
            a_shard(
                4,
                state=WAITING,
                attempt=3,
                failures=2,
                message_id="m",
                lease_until=AT.replace(microsecond=0),
                progress=Progress(task="NSE", percent=7, hosts_done=2),
                remainder=9,
                remainder_of=1,
                generation=3,
                backoff_limit=0,
                stderr="ü",
            ),
            a_shard(2, slices=tuple(TargetSlice(f"{n}.example.internal", n, n + 1) for n in range(512))),
            a_shard(3, slices=(), arguments=(), exclude=()),
        ],
        ids=["queued", "running", "recorded", "every field", "long", "empty"],
    )
    def test_a_shard_is_read_as_it_was_stored(self, table: ScanTable, shard: Shard) -> None:
        table.add_shards([shard])
        assert table.get_shard(SCAN_ID, shard.number) == shard

    def test_a_shard_that_does_not_exist_is_none(self, table: ScanTable) -> None:
        table.add_shards([a_shard(0)])
        assert table.get_shard(SCAN_ID, 1) is None

    def test_shards_are_read_in_order_of_their_number_and_of_their_scan_alone(self, table: ScanTable) -> None:
        table.create_scan(a_scan())
        table.add_shards([a_shard(n) for n in (10, 2, 1, 100)])
        table.add_shards([a_shard(3, scan_id=derive_scan_id("another"))])
        assert [shard.number for shard in table.shards(SCAN_ID)] == [1, 2, 10, 100]

    def test_shards_that_are_there_stay_and_the_missing_ones_are_stored(self, table: ScanTable) -> None:
        table.add_shards([a_shard(0), a_shard(150)])
        claim(table, 150)
        table.add_shards(a_shard(n, addresses=1) for n in range(201))
        shards = list(table.shards(SCAN_ID))
        assert len(shards) == 201
        assert shards[0] == a_shard(0)
        assert shards[150] == a_shard(150, state=ShardState.RUNNING, attempt=1, **HELD)
        assert {shard.addresses for shard in shards} == {1, 256}

    def test_no_shards_are_nothing_to_add(self, table: ScanTable) -> None:
        table.add_shards([])
        assert list(table.shards(SCAN_ID)) == []

    def test_no_shard_waits_twice_in_the_list_of_those_that_wait(self, table: ScanTable) -> None:
        table.create_scan(a_scan(shards_waiting=2, shards_in_flight=1))
        table.add_shards([a_shard(2, state=WAITING), a_shard(0), a_shard(1, state=WAITING)])
        table.add_shards([a_shard(0, state=WAITING, scan_id=derive_scan_id("another"))])
        assert [shard.number for shard in table.list_shards_in(SCAN_ID, WAITING)] == [1, 2]
        assert table.release_shard(SCAN_ID, 1)
        assert [shard.number for shard in table.list_shards_in(SCAN_ID, WAITING)] == [2]
        assert [shard.number for shard in table.list_shards_in(SCAN_ID, ShardState.QUEUED)] == [0, 1]
        assert table.hold_shard(SCAN_ID, 0)
        assert list(table.list_shards_in(SCAN_ID, WAITING)) == [a_shard(0, state=WAITING), a_shard(2, state=WAITING)]


class TestReleasing:
    def test_a_waiting_shard_is_released_while_its_scan_has_room(self, table: ScanTable) -> None:
        table.create_scan(a_scan(shards_open=3, shards_waiting=2, shards_in_flight=1, parallel=2))
        table.add_shards([a_shard(0), a_shard(1, state=WAITING), a_shard(2, state=WAITING)])
        assert [table.release_shard(SCAN_ID, number) for number in (0, 1, 1, 2, 9)] == [
            False,
            True,
            False,
            False,
            False,
        ]
        assert _counts(table) == (3, 1, 2)
        assert [shard.state for shard in table.shards(SCAN_ID)] == ["queued", "queued", "waiting"]

    @pytest.mark.parametrize("state", ["Init", "Scanning", "Parsing"])  # the last while another report is awaited again
    def test_a_shard_of_a_scan_that_is_under_way_is_released(self, table: ScanTable, state: str) -> None:
        table.create_scan(a_scan(state=ScanState(state), shards_waiting=1, shards_in_flight=0))
        table.add_shards([a_shard(state=WAITING)])
        assert table.release_shard(SCAN_ID, 0)

    @pytest.mark.parametrize("state", sorted(set(ScanState) - UNDER_WAY))
    def test_no_shard_of_a_scan_that_is_not_under_way_is_released(self, table: ScanTable, state: ScanState) -> None:
        scan = a_scan(state=state, shards_waiting=1, shards_in_flight=1)
        table.create_scan(scan)
        table.add_shards([a_shard(state=WAITING)])
        assert not table.release_shard(SCAN_ID, 0)
        assert (_scan(table), table.get_shard(SCAN_ID, 0)) == (scan, a_shard(state=WAITING))

    def test_a_held_shard_waits_again_and_leaves_its_place_to_others(self, table: ScanTable) -> None:
        table.create_scan(a_scan(parallel=1, shards_waiting=1, shards_in_flight=1))
        table.add_shards([a_shard(0), a_shard(1, state=WAITING)])
        assert [table.hold_shard(SCAN_ID, number) for number in (0, 0, 9)] == [True, False, False]
        assert _counts(table) == (2, 2, 0)
        assert table.release_shard(SCAN_ID, 1)


class TestClaiming:
    def test_a_queued_shard_is_claimed_whole(self, table: ScanTable) -> None:
        table.add_shards([a_shard()])
        claimed = a_shard(state=ShardState.RUNNING, attempt=1, **HELD)
        assert claim(table) == claimed
        assert table.get_shard(SCAN_ID, 0) == claimed

    def test_another_message_does_not_claim_a_shard_under_a_living_lease(self, table: ScanTable) -> None:
        table.add_shards([a_shard()])
        claimed = claim(table)
        assert claim(table, message_id="a duplicate", now=AT + timedelta(seconds=59)) is None
        assert table.get_shard(SCAN_ID, 0) == claimed

    @pytest.mark.parametrize(
        "by", [{"message_id": "message 1"}, {"message_id": "a duplicate", "now": AT + timedelta(minutes=1)}]
    )
    @pytest.mark.parametrize("reported", [False, True])
    def test_taking_over_a_shard_from_a_lost_worker_counts_a_failure(
        self, table: ScanTable, by: dict[str, Any], reported: bool
    ) -> None:
        table.add_shards([a_shard()])
        claim(table)
        if reported:
            table.report_shard(SCAN_ID, 0, 1, RUN)
        taken = claim(table, worker="task/2", **by)
        assert taken is not None
        assert (taken.state, taken.attempt, taken.failures, taken.worker) == (ShardState.RUNNING, 2, 1, "task/2")
        assert taken.error_description == LOST
        assert table.get_shard(SCAN_ID, 0) == taken

    def test_a_lease_that_the_holder_extended_lives_on(self, table: ScanTable) -> None:
        table.add_shards([a_shard()])
        claim(table)
        assert table.beat(SCAN_ID, 0, 1, lease_until=AT + timedelta(minutes=5))
        assert claim(table, message_id="a duplicate", now=AT + timedelta(minutes=4)) is None
        assert claim(table, message_id="a duplicate", now=AT + timedelta(minutes=5)) is not None

    @pytest.mark.parametrize("state", [WAITING, *CLOSED_STATES])
    def test_a_shard_that_waits_or_is_closed_is_not_claimed(self, table: ScanTable, state: ShardState) -> None:
        table.add_shards([a_shard(state=state, attempt=1)])
        assert claim(table) is None
        assert table.get_shard(SCAN_ID, 0) == a_shard(state=state, attempt=1)

    def test_a_shard_that_does_not_exist_is_not_claimed(self, table: ScanTable) -> None:
        assert claim(table) is None
        assert table.get_shard(SCAN_ID, 0) is None


class TestHolding:
    """What the holder of a shard may do, and nobody else."""

    def test_a_beat_stores_the_progress_and_without_one_keeps_the_earlier(self, table: ScanTable) -> None:
        table.add_shards([a_shard()])
        claim(table)
        progress = Progress(task="Connect Scan", percent=42, hosts_done=3)
        assert table.beat(SCAN_ID, 0, 1, lease_until=AT + timedelta(minutes=2), progress=progress)
        assert table.beat(SCAN_ID, 0, 1, lease_until=AT + timedelta(minutes=3))
        held = HELD | {"lease_until": AT + timedelta(minutes=3)}
        assert table.get_shard(SCAN_ID, 0) == a_shard(state=ShardState.RUNNING, attempt=1, progress=progress, **held)

    def test_the_writes_of_a_worker_that_lost_the_shard_fail(self, table: ScanTable) -> None:
        table.create_scan(a_scan())
        table.add_shards([a_shard()])
        claim(table)
        taken = claim(table, worker="task/2")
        for attempt in (1, 3):
            assert not table.beat(SCAN_ID, 0, attempt, lease_until=AT + timedelta(minutes=9))
            assert not table.report_shard(SCAN_ID, 0, attempt, NmapRun(exit_code=9))
            assert table.cut_shard(SCAN_ID, 0, attempt, CUT) is None
            assert table.return_shard(SCAN_ID, 0, attempt, BACK) is None
        assert table.get_shard(SCAN_ID, 0) == taken

    @pytest.mark.parametrize("run", [RUN, NmapRun()], ids=["full", "empty"])
    def test_a_run_is_reported_however_often(self, table: ScanTable, run: NmapRun) -> None:
        table.add_shards([a_shard()])
        claim(table)
        assert [table.report_shard(SCAN_ID, 0, 1, run) for _ in range(2)] == [True, True]
        assert table.get_shard(SCAN_ID, 0) == a_shard(state=ShardState.REPORTED, attempt=1, run=run, **HELD)

    @pytest.mark.parametrize("state", [WAITING, ShardState.QUEUED, *CLOSED_STATES])
    def test_a_shard_without_a_holder_is_changed_by_no_worker(self, table: ScanTable, state: ShardState) -> None:
        table.create_scan(a_scan())
        table.add_shards([a_shard(state=state, attempt=1)])
        assert not table.beat(SCAN_ID, 0, 1, lease_until=AT)
        assert not table.report_shard(SCAN_ID, 0, 1, RUN)
        assert table.cut_shard(SCAN_ID, 0, 1, CUT) is None
        assert table.return_shard(SCAN_ID, 0, 1, BACK) is None
        assert not table.report_shard(SCAN_ID, 1, 1, RUN)
        assert table.get_shard(SCAN_ID, 0) == a_shard(state=state, attempt=1)

    def test_a_shard_returned_to_its_queue_has_no_holder_and_keeps_its_last_error(self, table: ScanTable) -> None:
        table.create_scan(a_scan())
        table.add_shards([a_shard()])
        claim(table)
        back = table.return_shard(SCAN_ID, 0, 1, BACK)
        assert back == table.get_shard(SCAN_ID, 0)
        assert back is not None
        assert (back.state, back.failures, back.lease_until, back.attempt) == (ShardState.QUEUED, 1, None, 1)
        assert (back.error_description, back.stderr) == ("nmap was killed", "Killed")
        claim(table)
        unharmed = ShardReturn(to=ShardState.QUEUED, failed=False)
        assert table.return_shard(SCAN_ID, 0, 2, unharmed) == replace(back, attempt=2)
        assert _counts(table) == (2, 0, 2)

    def test_a_shard_returned_to_waiting_frees_its_place_for_others(self, table: ScanTable) -> None:
        table.create_scan(a_scan())
        table.add_shards([a_shard()])
        claim(table)
        back = table.return_shard(SCAN_ID, 0, 1, ShardReturn(to=WAITING, failed=False))
        assert back is not None
        assert (back.state, back.failures) == (WAITING, 0)
        assert list(table.list_shards_in(SCAN_ID, WAITING)) == [back]
        assert _counts(table) == (2, 1, 1)


def cut_off(table: ScanTable, number: int, attempt: int, cut: ShardCut) -> Shard | None:
    """Report the shard, with a cut that its worker proposes, and cut it. Returns the remainder."""
    proposed = ProposedCut(remaining=cut.remaining, lane=cut.lane)
    table.report_shard(SCAN_ID, number, attempt, cut.run, proposed)
    return table.cut_shard(SCAN_ID, number, attempt, cut)


class TestCutting:
    def test_a_cut_shard_keeps_what_is_done_and_a_new_one_gets_the_rest(self, table: ScanTable) -> None:
        table.create_scan(a_scan())
        table.add_shards([a_shard(0), a_shard(1, failures=1, generation=2, backoff_limit=7)])
        claim(table, 1)
        rest = cut_off(table, 1, 1, CUT)
        assert rest == table.get_shard(SCAN_ID, 2)
        assert rest == a_shard(
            2,
            lane=Lane.CONNECT,
            slices=CUT.remaining,
            addresses=206,
            backoff_limit=7,
            generation=3,
            remainder_of=1,
            failures=2,
            error_description="nmap was killed",
            stderr=RUN.stderr,
        )
        done = table.get_shard(SCAN_ID, 1)
        assert done is not None
        assert (done.state, done.slices, done.addresses, done.run) == (ShardState.REPORTED, CUT.done, 50, CUT.run)
        assert (done.remainder, done.attempt, done.worker, done.arguments) == (2, 1, "worker", a_shard().arguments)
        scan = _scan(table)
        assert (scan.shards, scan.shards_open, scan.shards_waiting, scan.shards_in_flight) == (3, 3, 0, 3)

    def test_a_remainder_that_waits_is_counted_among_those_that_wait(self, table: ScanTable) -> None:
        table.create_scan(a_scan(shards=1, shards_open=1))
        table.add_shards([a_shard()])
        claim(table)
        rest = cut_off(table, 0, 1, replace(CUT, to=WAITING, failed=False))
        assert rest is not None
        assert (rest.failures, rest.stderr) == (0, "")
        assert list(table.list_shards_in(SCAN_ID, WAITING)) == [rest]
        assert _counts(table) == (2, 1, 1)

    def test_a_cut_that_is_repeated_makes_one_remainder(self, table: ScanTable) -> None:
        table.create_scan(a_scan())
        table.add_shards([a_shard(0), a_shard(1)])
        claim(table)
        assert cut_off(table, 0, 1, CUT) is not None
        assert table.cut_shard(SCAN_ID, 0, 1, CUT) is None
        assert len(list(table.shards(SCAN_ID))) == 3
        assert _counts(table) == (3, 0, 3)

    def test_a_shard_can_be_cut_again_in_a_later_attempt(self, table: ScanTable) -> None:
        table.create_scan(a_scan(shards=1, shards_open=1))
        table.add_shards([a_shard()])
        for attempt, remainder in ((1, 1), (2, 2)):
            claim(table)
            rest = cut_off(table, 0, attempt, CUT)
            assert rest is not None
            assert rest.number == remainder
        shard = table.get_shard(SCAN_ID, 0)
        assert shard is not None
        assert shard.remainder == 2

    @pytest.mark.parametrize("state", sorted(FINAL_STATES))
    def test_a_scan_that_is_over_gets_no_shard_more(self, table: ScanTable, state: ScanState) -> None:
        table.create_scan(a_scan(state=state))
        table.add_shards([a_shard()])
        claim(table)
        assert cut_off(table, 0, 1, CUT) is None
        (shard,) = table.shards(SCAN_ID)
        assert (shard.slices, shard.remainder) == (a_shard().slices, None)
        assert _scan(table) == a_scan(state=state)


class TestClosingShards:
    @pytest.mark.parametrize("state", sorted(IN_FLIGHT))
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

    def test_a_closed_shard_is_no_longer_listed_as_waiting(self, table: ScanTable) -> None:
        table.create_scan(a_scan(shards_waiting=1, shards_in_flight=1))
        table.add_shards([a_shard(state=WAITING)])
        assert table.close_shard(SCAN_ID, 0, replace(FAILING, state=ShardState.CANCELLED))
        assert _counts(table) == (1, 0, 1)
        assert list(table.list_shards_in(SCAN_ID, WAITING)) == []
        assert not table.close_shard(SCAN_ID, 0, FAILING)

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
        given_up = Reason.of(ReasonCode.SHARD_GIVEN_UP, "shard 0", "out of attempts")
        reasons = Reasons.of([given_up]).at_shard(0)
        shard = a_shard(
            state=ShardState.FAILED, outcome=Outcome.FAILED, reasons=reasons, error_description="out of attempts"
        )
        assert table.get_shard(SCAN_ID, 0) == shard

    def test_a_shard_and_its_scan_keep_their_reasons_and_the_addresses_that_nobody_planned(
        self, table: ScanTable
    ) -> None:
        reasons = Reasons.of([Reason.of(ReasonCode.NAME_NOT_FOUND, "a.test", "no such name")], {"host-timed-out": 2})
        table.create_scan(a_scan(shards=2, shards_open=2))
        table.add_shards([a_shard(), a_shard(number=1)])
        for number, extra in ((0, 15), (0, 15), (1, -1)):
            closing = replace(CLOSING, outcome=Outcome.UNRESOLVED, reasons=reasons, extra_addresses=extra)
            table.close_shard(SCAN_ID, number, closing)
        closed = table.get_shard(SCAN_ID, 1)
        assert closed
        assert closed.reasons == reasons.at_shard(1)
        assert _scan(table).extra_addresses == 14
        assert table.close_scan(SCAN_ID, ScanState.PARSE_COMPLETED, Outcome.UNRESOLVED, AT, reasons=reasons)
        assert not table.close_scan(SCAN_ID, ScanState.PARSE_COMPLETED, Outcome.UNRESOLVED, AT)
        assert _scan(table).reasons == reasons

    def test_a_shard_closes_and_is_counted_once(self, table: ScanTable) -> None:
        table.create_scan(a_scan())
        table.add_shards([a_shard()])
        table.close_shard(SCAN_ID, 0, CLOSING)
        before = _scan(table)
        assert not table.close_shard(SCAN_ID, 0, FAILING)
        assert not table.close_shard(SCAN_ID, 0, CLOSING)
        assert _scan(table) == before

    def test_an_address_of_a_name_is_counted_by_the_first_shard_that_has_it_however_often_it_asks(
        self, table: ScanTable
    ) -> None:
        many = [f"10.0.{n // 250}.{n % 250}" for n in range(250)]
        table.create_scan(a_scan())
        assert table.count_addresses(SCAN_ID, 0, many) == frozenset()
        assert table.count_addresses(SCAN_ID, 1, ["10.0.0.7", "10.9.0.1", "10.0.0.249"]) == {"10.0.0.7", "10.0.0.249"}
        assert table.count_addresses(SCAN_ID, 0, ["10.0.0.7", "10.9.0.1"]) == {"10.9.0.1"}
        assert table.count_addresses(SCAN_ID, 1, ["10.9.0.1"]) == frozenset()
        assert table.remove_scan(SCAN_ID, 1_000)
        table.create_scan(a_scan())
        assert table.count_addresses(SCAN_ID, 1, many) == frozenset()

    def test_a_shard_that_does_not_exist_is_not_counted(self, table: ScanTable) -> None:
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


class TestUsage:
    """What a shard's attempts used is counted in its scan, each once."""

    LATER = AT + timedelta(minutes=2)

    def test_a_lost_attempt_counts_until_the_next_one_ends(self, table: ScanTable) -> None:
        table.add_shards([a_shard()])
        claim(table)
        taken = claim(table, now=self.LATER, lease_until=self.LATER + timedelta(minutes=1))
        assert taken is not None
        assert taken.claimed_at == AT
        ends_at = self.LATER + timedelta(seconds=10)
        assert taken.attempt_usage(Capacity.SPOT, ends_at) == Usage(spot_ms=130_000)

    def test_attempts_that_were_returned_add_up_and_the_time_between_them_does_not_count(
        self, table: ScanTable
    ) -> None:
        table.create_scan(a_scan())
        table.add_shards([a_shard()])
        for number, used in enumerate([Usage(spot_ms=5_000), Usage(spot_ms=1_000, on_demand_ms=7)], 1):
            claimed = claim(table, now=AT + timedelta(hours=number))
            assert claimed is not None
            assert claimed.claimed_at == AT + timedelta(hours=number)
            table.return_shard(SCAN_ID, 0, number, replace(BACK, usage=used))
        back = table.get_shard(SCAN_ID, 0)
        assert back is not None
        assert back.usage == Usage(spot_ms=6_000, on_demand_ms=7)
        assert back.total_usage() == Usage(spot_ms=6_000, on_demand_ms=7, attempts=2)

    def test_a_closed_shard_is_counted_once(self, table: ScanTable) -> None:
        table.create_scan(a_scan(shards=2, shards_open=2))
        table.add_shards([a_shard(0), a_shard(1)])
        used = Usage(lambda_ms=9, spot_ms=8, on_demand_ms=7, attempts=3, report_bytes=100)
        for number in (0, 0, 1):
            table.close_shard(SCAN_ID, number, replace(CLOSING, usage=used))
        assert _scan(table).usage == used + used

    def test_shards_that_are_closed_together_count_what_each_has_used(self, table: ScanTable) -> None:
        table.create_scan(a_scan(shards=3, shards_open=3))
        table.add_shards([a_shard(0, lane=Lane.RAW), a_shard(1, usage=Usage(spot_ms=4)), a_shard(2)])
        claim(table, 0)
        ending = replace(TestClosingTogether.ENDING, closed_at=AT + timedelta(seconds=20))
        assert table.close_shards(SCAN_ID, list(table.shards(SCAN_ID)), ending) == 3
        assert table.close_shards(SCAN_ID, list(table.shards(SCAN_ID)), ending) == 0
        assert _scan(table).usage == Usage(on_demand_ms=20_000, spot_ms=4, attempts=1)

    def test_what_a_scan_has_cost_is_stored_with_its_end(self, table: ScanTable) -> None:
        table.create_scan(a_scan(shards=0, shards_open=0))
        cost = ScanCost(usd=0.5, parts={"lambda": 0.5}, estimate_usd=(0.1, 2.0))
        assert table.close_scan(SCAN_ID, ScanState.PARSE_COMPLETED, Outcome.COMPLETE, AT, cost=cost)
        assert not table.close_scan(SCAN_ID, ScanState.PARSE_COMPLETED, Outcome.COMPLETE, AT)
        assert _scan(table).cost == cost


class TestClosingTogether:
    """Of a scan that is over."""

    ENDING = ShardClosing(state=ShardState.CANCELLED, outcome=Outcome.FAILED, error_description="cancelled")

    def test_shards_that_wait_and_shards_in_flight_close_and_are_counted_as_what_they_were(
        self, table: ScanTable
    ) -> None:
        table.create_scan(a_scan(shards=150, shards_open=150, shards_waiting=100, shards_in_flight=50))
        table.add_shards(a_shard(n, state=WAITING if n >= 50 else ShardState.QUEUED) for n in range(150))
        claim(table, 7)
        assert table.close_shards(SCAN_ID, list(table.shards(SCAN_ID)), self.ENDING) == 150
        closed = list(table.shards(SCAN_ID))
        assert {(s.state, s.outcome, s.error_description) for s in closed} == {("cancelled", "failed", "cancelled")}
        assert list(table.list_shards_in(SCAN_ID, WAITING)) == []
        assert _counts(table) == (0, 0, 0)
        assert _scan(table).shard_outcomes == {"failed": 150}

    def test_a_shard_is_counted_once_however_often_it_is_closed(self, table: ScanTable) -> None:
        table.create_scan(a_scan(shards=2, shards_open=2))
        table.add_shards([a_shard(0), a_shard(1)])
        shards = list(table.shards(SCAN_ID))
        assert table.close_shard(SCAN_ID, 1, CLOSING)
        assert table.close_shards(SCAN_ID, shards, self.ENDING) == 1  # one closed since it was read
        assert table.close_shards(SCAN_ID, shards, self.ENDING) == 0
        assert _scan(table).shard_outcomes == {"failed": 1, CLOSING.outcome.value: 1}
        assert _counts(table) == (0, 0, 0)

    def test_shards_without_their_scan_stay_open(self, table: ScanTable) -> None:
        table.add_shards([a_shard()])
        assert table.close_shards(SCAN_ID, [a_shard()], self.ENDING) == 0
        assert table.get_shard(SCAN_ID, 0) == a_shard()


def _scan(table: ScanTable) -> Scan:
    scan = table.get_scan(SCAN_ID)
    assert scan is not None
    return scan


def _counts(table: ScanTable) -> tuple[int, int, int]:
    """Open, waiting, in flight."""
    scan = _scan(table)
    return scan.shards_open, scan.shards_waiting, scan.shards_in_flight


class TestTokens:
    def test_under_another_token_there_is_no_such_shard(self, table: ScanTable) -> None:
        table.create_scan(a_scan())
        table.add_shards([a_shard(0), a_shard(1)])
        token = derive_shard_token(a_scan().shard_secret, 0)
        assert table.get_shard(SCAN_ID, 0, token=token) == a_shard(0)
        for other in (derive_shard_token(a_scan().shard_secret, 1), "0" * 32):
            assert table.get_shard(SCAN_ID, 0, token=other) is None
            assert claim(table, token=other) is None
            assert not table.beat(SCAN_ID, 0, 0, lease_until=AT, token=other)
            assert not table.report_shard(SCAN_ID, 0, 0, RUN, token=other)
        assert list(table.shards(SCAN_ID)) == [a_shard(0), a_shard(1)]

    def test_with_its_token_a_shard_is_claimed_kept_and_reported(self, table: ScanTable) -> None:
        table.create_scan(a_scan())
        table.add_shards([a_shard(0)])
        token = derive_shard_token(a_scan().shard_secret, 0)
        assert claim(table, token=token)
        assert table.beat(SCAN_ID, 0, 1, lease_until=AT + timedelta(minutes=9), token=token)
        cut = ProposedCut(remaining=CUT.remaining, lane=Lane.RAW)
        assert table.report_shard(SCAN_ID, 0, 1, RUN, cut, token=token)
        shard = table.get_shard(SCAN_ID, 0)
        assert shard
        assert (shard.state, shard.run, shard.cut) == (ShardState.REPORTED, RUN, cut)
