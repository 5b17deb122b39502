"""A dead letter closes its shard, unless the shard was closed after all."""

from __future__ import annotations

import pytest

from cascan.errors import MalformedMessage, ShardBusy
from cascan.events import ScanFailed, ShardQueued
from cascan.gateways import ScanGateways
from cascan.model.scan import Outcome, ScanState
from cascan.model.shard import ShardClosing, ShardState
from on_shard_abandoned.close_abandoned_shard import AbandonedShard, close_abandoned_shard
from tests.fakes import MemoryEventBus, MemoryScanTable, MemoryShardQueues
from tests.support.builders import NOW, SCAN_ID, a_scan, a_shard, a_table, claim, clock, event_names, shard_queued

MESSAGE = shard_queued()


def abandon(
    table: MemoryScanTable, bus: MemoryEventBus, message: ShardQueued = MESSAGE, message_id: str = "a message"
) -> AbandonedShard:
    return close_abandoned_shard(message, message_id, ScanGateways(table, MemoryShardQueues(), bus, clock))


def test_the_last_open_shard_given_up_ends_its_scan_errored() -> None:
    given_up = a_shard(attempt=4, failures=4, error_description="nmap was ended by SIGKILL", stderr="out of memory")
    table, bus = a_table(a_scan(), given_up), MemoryEventBus()
    assert abandon(table, bus).scan_state == ScanState.ERRORED
    (event,) = bus.events
    assert isinstance(event, ScanFailed)
    reason = "shard 0 was given up after 4 attempts; nmap was ended by SIGKILL; nmap said: out of memory"
    assert (event.reason, event.refused) == (reason, False)


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
        abandon(a_table(a_scan(), a_shard()), MemoryEventBus(), shard_queued(3))


def test_a_shard_whose_worker_died_with_its_last_message_is_failed() -> None:
    table = a_table(a_scan(), a_shard())
    claim(table, lease_until=NOW)
    assert abandon(table, MemoryEventBus()).shard_state == ShardState.FAILED
    assert table.shards_by_key[SCAN_ID, 0].error_description.endswith("its worker ended without a word")


def test_a_shard_is_not_closed_while_the_lease_of_its_holder_lives() -> None:
    table = a_table(a_scan(), a_shard())
    held = claim(table)
    with pytest.raises(ShardBusy, match="running at worker"):
        abandon(table, MemoryEventBus())
    assert abandon(table, MemoryEventBus(), message_id="a duplicate").shard_state == ShardState.RUNNING
    assert table.shards_by_key[SCAN_ID, 0] == held


def test_the_dead_letter_of_a_duplicate_leaves_the_shard_to_the_message_of_its_last_holder() -> None:
    table = a_table(a_scan(), a_shard())
    claim(table, lease_until=NOW)
    assert abandon(table, MemoryEventBus(), message_id="a duplicate").shard_state == ShardState.RUNNING


def test_a_shard_that_waits_is_not_closed_by_an_old_message_of_it() -> None:
    table = a_table(a_scan(shards_waiting=1, shards_in_flight=0), a_shard(state=ShardState.WAITING))
    assert abandon(table, MemoryEventBus()).shard_state == ShardState.WAITING
