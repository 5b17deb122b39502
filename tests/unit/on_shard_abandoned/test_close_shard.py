"""A dead letter closes its shard, unless the shard was closed after all."""

from __future__ import annotations

import pytest

from cascan.errors import MalformedMessage
from cascan.events import ScanFailed, ShardQueued
from cascan.model.scan import Outcome, ScanState
from cascan.model.shard import ShardClosing, ShardState
from on_shard_abandoned.close_shard import Closed, close_abandoned
from tests.builders import SCAN_ID, a_scan, a_shard, a_table, clock, event_names
from tests.fakes import MemoryEventBus, MemoryScanTable, MemoryShardQueues

MESSAGE = ShardQueued(scan_id=SCAN_ID, cause_id="planned", shard=0)


def abandon(table: MemoryScanTable, bus: MemoryEventBus, message: ShardQueued = MESSAGE) -> Closed:
    return close_abandoned(message, table=table, queues=MemoryShardQueues(), bus=bus, clock=clock)


def test_the_last_open_shard_given_up_ends_its_scan_errored() -> None:
    table, bus = a_table(a_scan(), a_shard(state=ShardState.RUNNING, attempt=4)), MemoryEventBus()
    assert abandon(table, bus).scan_state == ScanState.ERRORED
    (event,) = bus.events
    assert isinstance(event, ScanFailed)
    assert (event.reason, event.refused) == ("shard 0 was given up after 4 attempts", False)


def test_the_scan_goes_on_while_other_shards_are_open() -> None:
    table, bus = a_table(a_scan(shards=2, shards_open=2), a_shard(), a_shard(number=1)), MemoryEventBus()
    assert abandon(table, bus).scan_state == ScanState.SCANNING
    assert bus.events == []


def test_the_same_dead_letter_twice_fails_the_shard_once() -> None:
    table, bus = a_table(a_scan(), a_shard()), MemoryEventBus()
    abandon(table, bus)
    abandon(table, bus)
    assert table.scans[SCAN_ID].shard_outcomes == {"failed": 1}
    assert event_names(bus) == ["ScanFailed"]


def test_a_shard_that_was_recorded_after_all_stays_recorded() -> None:
    table, bus = a_table(a_scan(), a_shard()), MemoryEventBus()
    table.close_shard(SCAN_ID, 0, ShardClosing(state=ShardState.RECORDED, outcome=Outcome.COMPLETE))
    assert abandon(table, bus).shard_state == ShardState.RECORDED
    assert table.scans[SCAN_ID].outcome is Outcome.COMPLETE


def test_a_dead_letter_of_no_shard_is_malformed() -> None:
    with pytest.raises(MalformedMessage, match="has no shard 3"):
        abandon(a_table(a_scan(), a_shard()), MemoryEventBus(), ShardQueued(scan_id=SCAN_ID, cause_id="x", shard=3))
