"""A worker proposes a cut: what fits its shard is cut, and anything else is refused."""

from __future__ import annotations

from typing import Any

import pytest

from cascan.errors import MalformedMessage
from cascan.gateways import ScanGateways
from cascan.limits import MAX_ADDRESSES_PER_NAME, MAX_GENERATIONS
from cascan.model.agenda import Switch
from cascan.model.shard import Lane, NmapRun, ProposedCut, Shard, ShardState, TargetSlice
from on_report_stored.cut_reported_shard import cut_reported_shard, subtract_slices
from tests.fakes import MemoryEventBus, MemoryScanTable, MemoryShardQueues
from tests.support.builders import NOW, SCAN_ID, a_run, a_scan, a_shard, a_table, claim, clock, shard_token

BLOCK = TargetSlice("10.0.0.0/28", 0, 16)
OTHER = TargetSlice("10.0.1.0/28", 0, 16)
REST = TargetSlice("10.0.0.0/28", 4, 16)


def reported(cut: ProposedCut | None, run: NmapRun | None = None, **fields: Any) -> MemoryScanTable:
    """A table with one shard, which a worker has reported."""
    table = a_table(a_scan(), a_shard(**{"lane": Lane.CONNECT, "slices": (BLOCK, OTHER), "addresses": 32} | fields))
    claim(table)
    table.report_shard(SCAN_ID, 0, 1, run or a_run(attempt=1, addresses=4, cut=True), cut)
    return table


def cut(table: MemoryScanTable, queues: MemoryShardQueues | None = None) -> Shard:
    gateways = ScanGateways(table, queues or MemoryShardQueues(), MemoryEventBus(), clock)
    return cut_reported_shard(table.shards_by_key[SCAN_ID, 0], table.scans[SCAN_ID], gateways)


def test_what_remains_is_a_new_shard_with_a_message_and_the_rest_is_recorded() -> None:
    table, queues = reported(ProposedCut(remaining=(REST, OTHER), lane=Lane.CONNECT)), MemoryShardQueues()
    done = cut(table, queues)
    remainder = table.shards_by_key[SCAN_ID, 1]
    assert (done.slices, done.cut, done.remainder) == ((TargetSlice("10.0.0.0/28", 0, 4),), None, 1)
    assert (remainder.slices, remainder.state, remainder.addresses) == ((REST, OTHER), ShardState.QUEUED, 28)
    assert [message.token for message in queues.sent[Lane.CONNECT]] == [shard_token(1)]
    assert table.scans[SCAN_ID].shards == 2


def test_a_repeat_makes_no_other_shard_and_sends_the_message_until_a_worker_has_it() -> None:
    table, queues = reported(ProposedCut(remaining=(REST, OTHER), lane=Lane.CONNECT)), MemoryShardQueues()
    queues.down = True
    with pytest.raises(Exception, match="down"):
        cut(table, queues)
    queues.down = False
    assert cut(table, queues) == table.shards_by_key[SCAN_ID, 0]
    assert (table.scans[SCAN_ID].shards, queues.waiting(Lane.CONNECT)) == (2, 0)


def test_the_remainder_of_a_scan_that_may_not_run_waits() -> None:
    table, queues = reported(ProposedCut(remaining=(REST,), lane=Lane.CONNECT)), MemoryShardQueues()
    table.halt(Switch(halted_at=NOW))
    cut(table, queues)
    assert table.shards_by_key[SCAN_ID, 1].state is ShardState.WAITING
    assert queues.waiting(Lane.CONNECT) == 0


@pytest.mark.parametrize(
    ("proposed", "fields"),
    [
        ({"remaining": (TargetSlice("10.0.2.0/28", 0, 16),)}, {}),
        ({"remaining": (TargetSlice("10.0.0.0/28", 4, 17),)}, {}),
        ({"remaining": (TargetSlice("10.0.0.0/28", -1, 3),)}, {}),
        ({"remaining": (REST, TargetSlice("10.0.0.0/28", 5, 6))}, {}),  # twice
        ({"remaining": (OTHER, REST)}, {}),  # out of order
        ({"remaining": (TargetSlice("10.0.0.0/28", 4, 4),)}, {}),
        ({"remaining": ()}, {}),
        ({"lane": Lane.RAW}, {}),
        ({"lane": Lane.EXPRESS}, {}),
        ({"timed_out": True}, {}),  # the request does not ask for it
        ({}, {"generation": MAX_GENERATIONS}),
    ],
)
def test_a_cut_that_does_not_fit_its_shard_is_refused(proposed: dict[str, Any], fields: dict[str, Any]) -> None:
    plain: dict[str, Any] = {"remaining": (REST,), "lane": Lane.CONNECT}
    table = reported(ProposedCut(**plain | proposed), **fields)
    before = dict(table.shards_by_key)
    with pytest.raises(MalformedMessage):
        cut(table)
    assert (table.shards_by_key, table.scans[SCAN_ID].shards) == (before, 1)


@pytest.mark.parametrize(
    "run",
    [
        a_run(addresses=-1),
        a_run(addresses=32 * MAX_ADDRESSES_PER_NAME + 1),
        a_run(addresses=3, asked_again=4),
        a_run(resolved={f"{n}.test": ("10.0.0.1",) for n in range(3)}),
        a_run(resolved={"a.test": tuple(f"10.0.0.{n}" for n in range(MAX_ADDRESSES_PER_NAME + 1))}),
        a_run(stderr="x" * 5_000),
    ],
)
def test_a_run_that_does_not_fit_its_shard_is_refused(run: NmapRun) -> None:
    with pytest.raises(MalformedMessage, match="does not fit"):
        cut(reported(None, run))


def test_an_express_shard_may_go_on_in_the_connect_lane() -> None:
    table, queues = (
        reported(ProposedCut(remaining=(BLOCK, OTHER), lane=Lane.CONNECT), lane=Lane.EXPRESS),
        MemoryShardQueues(),
    )
    assert cut(table, queues).slices == ()
    assert queues.waiting(Lane.CONNECT) == 1


def test_a_proposal_of_an_attempt_that_was_overtaken_is_not_cut() -> None:
    table = reported(ProposedCut(remaining=(REST,), lane=Lane.CONNECT))
    claim(table, worker="another")
    assert cut(table).cut is not None
    assert table.scans[SCAN_ID].shards == 1


def test_what_is_done_is_the_slices_without_what_remains() -> None:
    remaining = (TargetSlice("a", 2, 3), TargetSlice("a", 3, 5), TargetSlice("c", 0, 1))
    slices = (TargetSlice("a", 0, 9), TargetSlice("b", 0, 1), TargetSlice("c", 0, 1))
    done = (TargetSlice("a", 0, 2), TargetSlice("a", 5, 9), TargetSlice("b", 0, 1))
    assert subtract_slices(slices, remaining) == done
