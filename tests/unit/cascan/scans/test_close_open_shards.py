"""A scan that is over has its open shards closed in turns, each with a bound, whatever breaks off between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from cascan.errors import GatewayUnavailable
from cascan.gateways import ScanGateways
from cascan.limits import LOOK_AGAIN_S, MAX_CLOSED_AT_ONCE, MAX_CLOSED_PER_TRANSACTION
from cascan.model.agenda import AgendaEntry, AgendaTask
from cascan.model.scan import Scan, ScanState
from cascan.model.shard import Lane, ShardState
from cascan.scans.close_open_shards import Remaining, cancel_scan, close_open_shards
from tests.fakes import MemoryEventBus, MemoryScanTable, MemoryShardQueues
from tests.support.builders import NOW, SCAN_ID, a_scan, a_shard, clock, event_names

WIDE = 250


def a_wide_table(number: int = WIDE, **fields: object) -> MemoryScanTable:
    table = MemoryScanTable()
    counts: dict[str, object] = {"shards": number, "shards_open": number, "shards_waiting": number}
    table.create_scan(a_scan(**counts | {"shards_in_flight": 0} | fields))
    table.add_shards(a_shard(number=n, lane=Lane.CONNECT, state=ShardState.WAITING) for n in range(number))
    return table


def states(table: MemoryScanTable) -> Counter[str]:
    return Counter(shard.state.value for shard in table.shards(SCAN_ID))


def cancel(table: MemoryScanTable, bus: MemoryEventBus, **bounds: Any) -> Scan:
    scan = cancel_scan(SCAN_ID, "enough", ScanGateways(table, MemoryShardQueues(), bus, clock), **bounds)
    assert scan
    return scan


def test_a_wide_scan_says_first_that_it_is_cancelled_and_why_and_ends_with_the_last_turn() -> None:
    table, bus = a_wide_table(), MemoryEventBus()
    first = cancel(table, bus, most=MAX_CLOSED_PER_TRANSACTION)
    assert (first.state, first.error_description, first.finished_at) == (ScanState.CANCELLED, "enough", None)
    assert (first.shards_open, event_names(bus)) == (WIDE - MAX_CLOSED_PER_TRANSACTION, [])
    assert [(e.task, (e.due_at - NOW).total_seconds()) for e in table.agenda] == [(AgendaTask.LOOK, LOOK_AGAIN_S)]
    last = cancel(table, bus)
    assert (last.finished_at, last.error_description, event_names(bus)) == (NOW, "enough", ["ScanCancelled"])
    assert states(table) == {"cancelled": WIDE}
    assert (last.shards_open, last.shards_waiting, last.shards_in_flight) == (0, 0, 0)


def test_a_second_reason_does_not_take_the_place_of_the_first() -> None:
    table, bus = a_wide_table(), MemoryEventBus()
    cancel(table, bus, most=1)
    later = cancel_scan(
        SCAN_ID, "another", ScanGateways(table, MemoryShardQueues(), bus, clock), most=MAX_CLOSED_AT_ONCE
    )
    assert later
    assert {shard.error_description for shard in table.shards(SCAN_ID)} == {"enough"}
    assert later.error_description == "enough"


def test_a_cancelled_scan_that_is_not_at_its_end_releases_nothing() -> None:
    table, bus = a_wide_table(), MemoryEventBus()
    cancel(table, bus, most=1)
    assert not table.release_shard(SCAN_ID, WIDE - 1)
    assert states(table) == {"cancelled": 1, "waiting": WIDE - 1}


def test_a_turn_keeps_to_its_most_and_the_turns_together_close_everything() -> None:
    table = a_wide_table(deadline_at=NOW)
    turns = []
    while (
        left := close_open_shards(
            table.scans[SCAN_ID], ScanGateways(table, MemoryShardQueues(), MemoryEventBus(), clock), most=100
        )
    ) is Remaining.MORE:
        turns.append(states(table)["failed"])
    assert (turns, left, states(table)) == ([100, 200], Remaining.NOTHING, {"failed": WIDE})


def test_a_turn_ends_when_its_time_is_up() -> None:
    table = a_wide_table(deadline_at=NOW)
    assert (
        close_open_shards(
            table.scans[SCAN_ID], ScanGateways(table, MemoryShardQueues(), MemoryEventBus(), clock), left_s=lambda: 1.0
        )
        is Remaining.MORE
    )
    assert states(table) == {"failed": MAX_CLOSED_PER_TRANSACTION, "waiting": WIDE - MAX_CLOSED_PER_TRANSACTION}


def test_a_turn_that_breaks_off_is_taken_up_by_the_next_and_each_shard_is_counted_once() -> None:
    table, bus = a_wide_table(), MemoryEventBus()
    close, table.close_shards = table.close_shards, failing_after(table.close_shards, 1)  # type: ignore[method-assign]
    with pytest.raises(GatewayUnavailable):
        cancel(table, bus)
    table.close_shards = close  # type: ignore[method-assign]
    assert table.scans[SCAN_ID].state is ScanState.CANCELLED
    ended = cancel(table, bus)
    assert (ended.shard_outcomes, event_names(bus)) == ({"failed": WIDE}, ["ScanCancelled"])


def test_a_scan_of_as_many_shards_as_there_can_be_is_one_turn_of_few_transactions() -> None:
    table, calls = a_wide_table(MAX_CLOSED_AT_ONCE), list[int]()
    close = table.close_shards

    def counted(*given: Any) -> int:
        calls.append(close(*given))
        return calls[-1]

    table.close_shards = counted  # type: ignore[method-assign, assignment]
    assert cancel(table, MemoryEventBus()).finished_at == NOW
    assert len(calls) == -(-MAX_CLOSED_AT_ONCE // MAX_CLOSED_PER_TRANSACTION)
    assert table.agenda == set[AgendaEntry]()


def failing_after(call: Callable[..., int], times: int) -> Callable[..., int]:
    left = iter(range(times))

    def fails(*given: object) -> int:
        if next(left, None) is None:
            raise GatewayUnavailable("table")
        return call(*given)

    return fails
