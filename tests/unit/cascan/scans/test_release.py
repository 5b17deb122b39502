"""Waiting shards start in order, under the scan's ceiling, and never where the scan may not run."""

from __future__ import annotations

import pytest

from cascan.errors import GatewayUnavailable
from cascan.gateways import ScanGateways
from cascan.model.agenda import Switch
from cascan.model.scan import ScanState
from cascan.model.shard import Lane, ShardState
from cascan.scans.release import release_waiting, resend_messages
from tests.fakes import MemoryEventBus, MemoryScanTable, MemoryShardQueues
from tests.support.builders import NOW, SCAN_ID, a_scan, a_shard, clock


def a_wide_scan(**fields: object) -> MemoryScanTable:
    """Two shards in flight, four that wait, one of them raw."""
    table = MemoryScanTable()
    plain: dict[str, object] = {
        "shards": 6,
        "shards_open": 6,
        "shards_in_flight": 2,
        "shards_waiting": 4,
        "parallel": 4,
    }
    table.create_scan(a_scan(**plain | fields))
    for number in range(6):
        state = ShardState.QUEUED if number < 2 else ShardState.WAITING
        table.add_shards([a_shard(number=number, state=state, lane=Lane.RAW if number == 3 else Lane.CONNECT)])
    return table


def release(table: MemoryScanTable, queues: MemoryShardQueues) -> dict[str, int]:
    return release_waiting(table.scans[SCAN_ID], ScanGateways(table, queues, MemoryEventBus(), clock))


def test_the_next_shards_start_up_to_the_ceiling() -> None:
    table, queues = a_wide_scan(), MemoryShardQueues()
    assert release(table, queues) == {"connect": 1, "raw": 1}
    assert [m.shard for m in queues.sent[Lane.CONNECT]] == [2]
    assert [m.shard for m in queues.sent[Lane.RAW]] == [3]
    scan = table.scans[SCAN_ID]
    assert (scan.shards_in_flight, scan.shards_waiting) == (4, 2)
    assert release(table, queues) == {}


def test_a_shard_that_has_to_run_again_starts_although_its_report_was_begun_to_be_read() -> None:
    """The last report was being recorded when its shard was taken over, and put back since the stack was halted."""
    table, queues = a_wide_scan(state=ScanState.PARSING), MemoryShardQueues()
    assert release(table, queues) == {"connect": 1, "raw": 1}
    assert table.scans[SCAN_ID].shards_in_flight == 4
    assert (
        sum(resend_messages(table.scans[SCAN_ID], ScanGateways(table, queues, MemoryEventBus(), clock)).values()) == 4
    )


@pytest.mark.parametrize("state", [ScanState.SUSPENDED, ScanState.CANCELLED, ScanState.DONE])
def test_nothing_starts_of_a_scan_that_is_not_under_way(state: ScanState) -> None:
    assert release(a_wide_scan(state=state), MemoryShardQueues()) == {}


def test_nothing_starts_outside_the_windows_of_a_scan() -> None:
    assert release(a_wide_scan(windows=("13:00-14:00",)), MemoryShardQueues()) == {}


def test_nothing_starts_while_the_stack_is_halted() -> None:
    table = a_wide_scan()
    table.halt(Switch(halted_at=NOW))
    assert release(table, MemoryShardQueues()) == {}


def test_a_shard_whose_message_did_not_go_out_still_waits() -> None:
    table, queues = a_wide_scan(), MemoryShardQueues()
    queues.down = True
    with pytest.raises(GatewayUnavailable):
        release(table, queues)
    assert table.scans[SCAN_ID].shards_waiting == 4


def test_a_shard_that_was_not_marked_after_its_message_is_sent_again() -> None:
    table, queues = a_wide_scan(), MemoryShardQueues()
    mark, table.release_shard = table.release_shard, lambda *_: (_ for _ in ()).throw(GatewayUnavailable("table"))  # type: ignore[method-assign]
    with pytest.raises(GatewayUnavailable):
        release(table, queues)
    table.release_shard = mark  # type: ignore[method-assign]
    release(table, queues)
    assert [m.shard for m in queues.sent[Lane.CONNECT]] == [2, 2]


def test_a_scan_of_thousands_of_shards_leaves_room_in_the_queue_for_a_small_one() -> None:
    table, queues = MemoryScanTable(), MemoryShardQueues()
    table.create_scan(a_scan(shards=2000, shards_open=2000, shards_in_flight=0, shards_waiting=2000, parallel=40))
    table.add_shards(a_shard(number=number, lane=Lane.CONNECT, state=ShardState.WAITING) for number in range(2000))
    release(table, queues)
    assert queues.waiting(Lane.CONNECT) == 40
