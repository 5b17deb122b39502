"""ScanTable's contract: scans. Every test runs on the fake and on DynamoDB."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from cascan.gateways import ScanTable
from cascan.ids import derive_scan_id
from cascan.model.finding import HostFindings
from cascan.model.refusal import Refusal, Rule
from cascan.model.scan import FINAL_STATES, Counts, Outcome, Scan, ScanState, Suspension
from tests.integration.gateways.examples import AT, CLOSING, SCAN_ID, a_finding, a_scan, a_shard, an_ended_scan

MEMBER = a_scan("member", member_of=SCAN_ID, vantage="office")
PARSED = (ScanState.PARSE_COMPLETED, ScanState.HOOK_PROCESSING)


class TestScans:
    @pytest.mark.parametrize(
        "scan",
        [
            a_scan(),
            an_ended_scan(),
            a_scan(
                request=None,
                state=ScanState.ERRORED,
                error_description="no JSON",
                shards=0,
                shards_open=0,
                refusals=(Refusal("-oN", Rule.OPTION, "-oN is refused"),),
            ),
            a_scan(requested_at=AT.replace(microsecond=0), name="", notes=()),
            a_scan(shards_waiting=1, parallel=4, deadline_at=AT, windows=("22:00-06:00", "Sat 00:00-24:00")),
            a_scan(notes=("long " * 10_000, "ü" * 5_000)),
        ],
        ids=["under way", "ended", "refused", "bare", "held", "long"],
    )
    def test_a_scan_is_read_as_it_was_stored(self, table: ScanTable, scan: Scan) -> None:
        assert table.create_scan(scan)
        assert table.get_scan(scan.scan_id) == scan

    def test_a_scan_that_exists_stays_as_it_is(self, table: ScanTable) -> None:
        table.create_scan(a_scan(name="first"))
        assert not table.create_scan(a_scan(name="second"))
        assert table.get_scan(SCAN_ID) == a_scan(name="first")

    def test_a_scan_that_does_not_exist_is_none(self, table: ScanTable) -> None:
        assert table.get_scan(SCAN_ID) is None

    def test_scans_are_listed_newest_first_up_to_the_limit(self, table: ScanTable) -> None:
        scans = [a_scan(f"scan {n}", requested_at=AT + timedelta(seconds=n)) for n in (2, 0, 3, 1)]
        for scan in scans:
            table.create_scan(scan)
        table.add_shards([a_shard()])
        assert list(table.list_scans(3)) == [scans[2], scans[0], scans[3]]
        assert len(list(table.list_scans(100))) == 4

    def test_scans_of_the_same_millisecond_are_listed_in_order_of_their_ids(self, table: ScanTable) -> None:
        for microsecond in (900, 100, 500):
            table.create_scan(a_scan(f"scan {microsecond}", requested_at=AT.replace(microsecond=microsecond)))
        ids = [scan.scan_id for scan in table.list_scans(3)]
        assert ids == sorted(ids, reverse=True)

    def test_scans_behind_a_place_are_listed_whether_or_not_a_scan_is_there(self, table: ScanTable) -> None:
        scans = [a_scan(f"scan {n}", requested_at=AT + timedelta(minutes=n)) for n in range(4)]
        for scan in scans:
            table.create_scan(scan)
        behind = scans[2].requested_at, scans[2].scan_id
        assert list(table.list_scans(10, after=behind)) == [scans[1], scans[0]]
        assert list(table.list_scans(1, after=behind)) == [scans[1]]
        assert list(table.list_scans(10, after=(AT + timedelta(seconds=90), "zz"))) == [scans[1], scans[0]]
        assert list(table.list_scans(10, after=(scans[0].requested_at, scans[0].scan_id))) == []

    def test_a_scan_advances_from_the_states_that_are_named_alone(self, table: ScanTable) -> None:
        table.create_scan(a_scan(state=ScanState.INIT))
        assert table.advance_scan(SCAN_ID, ScanState.SCANNING, expected=(ScanState.INIT, ScanState.SUSPENDED))
        assert not table.advance_scan(SCAN_ID, ScanState.CANCELLED, expected=(ScanState.INIT, ScanState.SUSPENDED))
        assert table.get_scan(SCAN_ID) == a_scan(state=ScanState.SCANNING)

    def test_who_suspended_a_scan_stays_until_another_does(self, table: ScanTable) -> None:
        table.create_scan(a_scan())
        ada, bob = Suspension(at=AT, by="ada", sender="AIDA"), Suspension(at=AT, reason="again")
        for suspension in (ada, bob):
            assert table.advance_scan(
                SCAN_ID, ScanState.SUSPENDED, expected=[ScanState.SCANNING], suspension=suspension
            )
            assert table.advance_scan(SCAN_ID, ScanState.SCANNING, expected=[ScanState.SUSPENDED])
            assert table.get_scan(SCAN_ID) == a_scan(suspension=suspension)

    def test_a_scan_that_does_not_exist_does_not_advance(self, table: ScanTable) -> None:
        assert not table.advance_scan(SCAN_ID, ScanState.SCANNING, expected=ScanState)
        assert table.get_scan(SCAN_ID) is None

    def test_a_scan_with_an_open_shard_does_not_close(self, table: ScanTable) -> None:
        table.create_scan(a_scan(shards_open=1))
        assert not table.close_scan(SCAN_ID, ScanState.PARSE_COMPLETED, Outcome.COMPLETE, AT)
        assert table.get_scan(SCAN_ID) == a_scan(shards_open=1)

    def test_a_scan_closes_once_with_its_outcome(self, table: ScanTable) -> None:
        table.create_scan(a_scan(shards_open=0))
        assert table.close_scan(SCAN_ID, ScanState.ERRORED, Outcome.FAILED, AT, "every shard failed")
        assert not table.close_scan(SCAN_ID, ScanState.PARSE_COMPLETED, Outcome.COMPLETE, AT + timedelta(1))
        closed = replace(a_scan(shards_open=0), state=ScanState.ERRORED, outcome=Outcome.FAILED, finished_at=AT)
        assert table.get_scan(SCAN_ID) == replace(closed, error_description="every shard failed")

    @pytest.mark.parametrize("state", sorted({*FINAL_STATES, *PARSED}))
    def test_a_scan_that_is_closed_or_over_does_not_close_again(self, table: ScanTable, state: ScanState) -> None:
        table.create_scan(a_scan(state=state, shards_open=0))
        assert not table.close_scan(SCAN_ID, ScanState.PARSE_COMPLETED, Outcome.COMPLETE, AT)
        assert table.get_scan(SCAN_ID) == a_scan(state=state, shards_open=0)

    def test_a_scans_end_is_marked_as_announced_however_often(self, table: ScanTable) -> None:
        table.create_scan(a_scan())
        table.mark_announced(SCAN_ID)
        table.mark_announced(SCAN_ID)
        assert table.get_scan(SCAN_ID) == a_scan(announced=True)

    def test_marking_a_scan_that_does_not_exist_stores_nothing(self, table: ScanTable) -> None:
        table.mark_announced(SCAN_ID)
        assert table.get_scan(SCAN_ID) is None

    @pytest.mark.parametrize("state", PARSED)
    def test_a_scan_finishes_once_with_the_counts_of_its_findings(self, table: ScanTable, state: ScanState) -> None:
        table.create_scan(a_scan())
        table.add_shards([a_shard(0), a_shard(1)])
        table.close_shard(SCAN_ID, 0, CLOSING)
        table.advance_scan(SCAN_ID, state, expected=[ScanState.SCANNING])
        counts = Counts(count=2, severities={"LOW": 2}, categories={"Host": 2})
        assert table.finish_scan(SCAN_ID, counts)
        assert not table.finish_scan(SCAN_ID, Counts(count=9))
        scan = table.get_scan(SCAN_ID)
        assert scan is not None
        assert (scan.state, scan.findings) == (ScanState.DONE, counts)

    def test_a_scan_that_still_runs_does_not_finish(self, table: ScanTable) -> None:
        table.create_scan(a_scan())
        assert not table.finish_scan(SCAN_ID, Counts())
        assert table.get_scan(SCAN_ID) == a_scan()

    def test_the_findings_of_a_scan_are_counted_again_once_it_has_ended(self, table: ScanTable) -> None:
        table.create_scan(a_scan())
        counts = Counts(count=2, severities={"LOW": 2}, categories={"Host": 2})
        assert not table.recount_findings(SCAN_ID, counts)
        assert table.get_scan(SCAN_ID) == a_scan()
        table.advance_scan(SCAN_ID, ScanState.CANCELLED, expected=[a_scan().state])
        assert table.recount_findings(SCAN_ID, counts)
        scan = table.get_scan(SCAN_ID)
        assert scan is not None
        assert (scan.state, scan.findings, scan.findings_revision) == (ScanState.CANCELLED, counts, 1)
        assert table.recount_findings(SCAN_ID, counts)
        recounted = table.get_scan(SCAN_ID)
        assert recounted is not None
        assert recounted.findings_revision == 2

    def test_a_scan_that_is_gone_is_not_counted(self, table: ScanTable) -> None:
        assert not table.recount_findings(SCAN_ID, Counts())
        assert table.get_scan(SCAN_ID) is None


class TestRemoval:
    def test_only_the_removed_scan_loses_its_shards_and_findings(self, table: ScanTable) -> None:
        for key in ("example", "another"):
            table.create_scan(a_scan(key))
            table.add_shards(a_shard(number, scan_id=derive_scan_id(key)) for number in range(2))
            table.put_findings(
                derive_scan_id(key), [HostFindings(f"10.0.0.{number}", [a_finding(number)]) for number in range(30)]
            )
        assert table.remove_scan(SCAN_ID, most=1000)
        assert (table.get_scan(SCAN_ID), list(table.shards(SCAN_ID)), list(table.findings(SCAN_ID))) == (None, [], [])
        other = derive_scan_id("another")
        assert table.get_scan(other)
        assert (len(list(table.shards(other))), len(list(table.findings(other)))) == (2, 30)

    def test_a_scan_too_large_for_one_removal_is_removed_by_several_itself_last(self, table: ScanTable) -> None:
        table.create_scan(a_scan())
        table.add_shards(a_shard(number) for number in range(5))
        assert not table.remove_scan(SCAN_ID, most=3)
        assert table.get_scan(SCAN_ID)
        assert len(list(table.shards(SCAN_ID))) == 2
        assert table.remove_scan(SCAN_ID, most=3)
        assert table.get_scan(SCAN_ID) is None

    def test_removing_a_scan_twice_does_no_harm(self, table: ScanTable) -> None:
        assert table.remove_scan(SCAN_ID, most=10)

    def test_a_cancelled_scan_without_an_outcome_gets_one_and_keeps_it(self, table: ScanTable) -> None:
        table.create_scan(a_scan(state=ScanState.CANCELLED, shards_open=0, outcome=None, finished_at=None))
        assert table.close_scan(SCAN_ID, ScanState.CANCELLED, Outcome.PARTIAL, AT, "cancelled")
        assert not table.close_scan(SCAN_ID, ScanState.CANCELLED, Outcome.FAILED, AT, "again")
        scan = table.get_scan(SCAN_ID)
        assert scan
        assert (scan.outcome, scan.finished_at, scan.error_description) == (Outcome.PARTIAL, AT, "cancelled")


class TestMembers:
    def test_an_ended_member_is_counted_once_in_its_scan(self, table: ScanTable) -> None:
        table.create_scan(a_scan(shards=2, shards_open=2, shards_in_flight=2, members=(MEMBER.scan_id, "b" * 16)))
        table.create_scan(MEMBER)
        assert table.count_member(MEMBER, CLOSING)
        assert not table.count_member(MEMBER, CLOSING)
        scan = table.get_scan(SCAN_ID)
        assert scan is not None
        assert (scan.shards, scan.shards_open, scan.shards_in_flight) == (2, 1, 1)
        assert scan.shard_outcomes == {CLOSING.outcome: 1}
        assert scan.findings.count == CLOSING.findings

    def test_a_member_of_a_scan_that_is_gone_is_not_counted(self, table: ScanTable) -> None:
        table.create_scan(MEMBER)
        assert not table.count_member(MEMBER, CLOSING)
