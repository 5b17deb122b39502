"""How a scan ends, whatever breaks off on the way."""

from __future__ import annotations

import pytest

from cascan.errors import GatewayUnavailable
from cascan.events import ScanCompleted, ScanFailed
from cascan.gateways import ScanGateways
from cascan.model.scan import Outcome, Scan, ScanState, combine_outcomes
from cascan.model.shard import ShardClosing, ShardState
from cascan.scans.close import close_shard, settle_scan
from tests.fakes import MemoryEventBus, MemoryScanTable, MemoryShardQueues
from tests.support.builders import NOW, SCAN_ID, a_scan, a_shard, a_table, clock, event_names

COMPLETE = ShardClosing(
    state=ShardState.RECORDED,
    outcome=Outcome.COMPLETE,
    severities={"LOW": 2},
    categories={"Open Port": 2},
    findings=2,
    hosts_up=1,
)
FAILED = ShardClosing(state=ShardState.FAILED, outcome=Outcome.FAILED, error_description="nmap: no")


def close(number: int, closing: ShardClosing, table: MemoryScanTable, bus: MemoryEventBus) -> Scan:
    scan = close_shard(SCAN_ID, number, closing, ScanGateways(table, MemoryShardQueues(), bus, clock))
    assert scan
    return scan


def test_a_scan_stays_open_until_its_last_shard_is_closed() -> None:
    table, bus = a_table(a_scan(shards=2, shards_open=2), a_shard(), a_shard(number=1)), MemoryEventBus()

    assert close(0, COMPLETE, table, bus).state is ScanState.SCANNING
    assert bus.events == []
    ended = close(1, COMPLETE, table, bus)

    assert (ended.state, ended.outcome, ended.finished_at) == (ScanState.PARSE_COMPLETED, Outcome.COMPLETE, NOW)
    assert (ended.findings.count, ended.hosts_up) == (4, 2)
    assert event_names(bus) == ["ScanCompleted"]


def test_a_shard_closed_twice_is_counted_and_announced_once() -> None:
    table, bus = a_table(a_scan(), a_shard()), MemoryEventBus()
    close(0, COMPLETE, table, bus)
    again = close(0, COMPLETE, table, bus)
    assert again.findings.count == 2
    assert event_names(bus) == ["ScanCompleted"]


def test_a_scan_whose_every_shard_failed_is_errored_with_the_reason() -> None:
    table, bus = a_table(a_scan(), a_shard()), MemoryEventBus()
    ended = close(0, FAILED, table, bus)
    assert (ended.state, ended.error_description) == (ScanState.ERRORED, "nmap: no")
    (event,) = bus.events
    assert isinstance(event, ScanFailed)
    assert (event.reason, event.refused, event.labels) == ("nmap: no", False, {"team": "blue"})


def test_a_scan_with_one_failed_shard_of_two_is_partial() -> None:
    table, bus = a_table(a_scan(shards=2, shards_open=2), a_shard(), a_shard(number=1)), MemoryEventBus()
    close(0, FAILED, table, bus)
    ended = close(1, COMPLETE, table, bus)
    assert (ended.state, ended.outcome) == (ScanState.PARSE_COMPLETED, Outcome.PARTIAL)


def test_an_end_that_the_bus_did_not_take_is_announced_by_the_next_delivery_under_the_same_id() -> None:
    table, bus = a_table(a_scan(), a_shard()), MemoryEventBus()
    bus.down = True
    with pytest.raises(GatewayUnavailable):
        close(0, COMPLETE, table, bus)
    bus.down = False

    settle_scan(SCAN_ID, ScanGateways(table, MemoryShardQueues(), bus, clock))
    table.scans[SCAN_ID] = a_scan(shards_open=0, state=ScanState.PARSE_COMPLETED, outcome=Outcome.COMPLETE)
    # The mark was lost: the end is announced again.
    settle_scan(SCAN_ID, ScanGateways(table, MemoryShardQueues(), bus, clock))

    first, second = bus.events
    assert isinstance(first, ScanCompleted)
    assert first.event_id == second.event_id


def test_a_break_between_the_shards_end_and_the_scans_end_is_mended_by_the_next_delivery() -> None:
    table, bus = a_table(a_scan(), a_shard()), MemoryEventBus()
    table.close_shard(SCAN_ID, 0, COMPLETE)  # and then the function died
    scan = settle_scan(SCAN_ID, ScanGateways(table, MemoryShardQueues(), bus, clock))
    assert scan
    assert scan.state is ScanState.PARSE_COMPLETED
    assert event_names(bus) == ["ScanCompleted"]


@pytest.mark.parametrize(
    ("shards", "outcome"),
    [
        ({"complete": 3}, Outcome.COMPLETE),
        ({"complete": 3, "nothing-answered": 5}, Outcome.COMPLETE),
        ({"nothing-answered": 2}, Outcome.NOTHING_ANSWERED),
        ({"complete": 3, "timed-out": 1}, Outcome.TIMED_OUT),
        ({"unresolved": 1}, Outcome.UNRESOLVED),
        ({"timed-out": 1, "unresolved": 1}, Outcome.PARTIAL),
        ({"complete": 9, "failed": 1}, Outcome.PARTIAL),
        ({"failed": 2}, Outcome.FAILED),
        ({"failed": 2, "nothing-answered": 1}, Outcome.PARTIAL),
    ],
)
def test_the_outcome_is_the_honest_sum_of_the_shards(shards: dict[str, int], outcome: Outcome) -> None:
    assert combine_outcomes(shards) is outcome
