"""Enough workers for what waits, and never more than allowed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cascan.events import ShardQueued, WorkersWanted
from cascan.model.agenda import Switch
from cascan.model.shard import Lane
from on_shards_waiting.launch_workers import LaneStaffing, launch_workers
from tests.fakes import MemoryFleet, MemoryScanTable, MemoryShardQueues
from tests.support.builders import SCAN_ID

TABLE = MemoryScanTable()  # of a stack that is not halted


def launch(
    waiting: int,
    running: int = 0,
    *,
    planned: int = 0,
    held: int = 0,
    slots: int = 1,
    most: int = 10,
    lane: Lane = Lane.CONNECT,
) -> tuple[LaneStaffing, ...]:
    queues, fleet = MemoryShardQueues(), MemoryFleet()
    queues.send(lane, [ShardQueued(scan_id=SCAN_ID, cause_id="planned", shard=n) for n in range(waiting)])
    fleet.workers[lane], queues.held_by_workers[lane] = running, held
    return launch_workers(
        WorkersWanted(id="tick", planned={lane: planned}),
        stack_switch=TABLE,
        queues=queues,
        fleet=fleet,
        max_workers=most,
        shards_per_worker=4,
        worker_slots=slots,
    )


def launch_both(connect: int, raw: int, *, running: tuple[int, int] = (0, 0), most: int) -> tuple[int, int]:
    """How many workers of both lanes run afterwards; one worker a shard."""
    queues, fleet = MemoryShardQueues(), MemoryFleet()
    fleet.workers[Lane.CONNECT], fleet.workers[Lane.RAW] = running
    wakeup = WorkersWanted(id="tick", planned={Lane.CONNECT: connect, Lane.RAW: raw})
    launch_workers(wakeup, stack_switch=TABLE, queues=queues, fleet=fleet, max_workers=most, shards_per_worker=1)
    return fleet.workers[Lane.CONNECT], fleet.workers[Lane.RAW]


@pytest.mark.parametrize(
    ("waiting", "running", "launched"),
    [(1, 0, 1), (4, 0, 1), (5, 0, 2), (5, 1, 1), (5, 2, 0), (5, 7, 0), (1000, 0, 10), (1000, 9, 1)],
)
def test_one_worker_for_every_four_waiting_shards_up_to_the_most(waiting: int, running: int, launched: int) -> None:
    assert launch(waiting, running) == (LaneStaffing("connect", waiting, running, launched),)


@pytest.mark.parametrize(
    ("waiting", "running", "held", "launched"),
    [
        (4, 8, 8, 1),  # a small scan, and everybody else is on shards that may take hours
        (4, 8, 7, 0),  # one has nothing to do
        (40, 8, 8, 2),  # up to the most
        (4, 0, 5, 1),  # of workers that died: their messages come back
        (4, 8, 9, 1),
    ],
)
def test_who_is_busy_does_not_keep_others_waiting(waiting: int, running: int, held: int, launched: int) -> None:
    assert launch(waiting, running, held=held) == (LaneStaffing("connect", waiting, running, launched),)


def test_a_worker_of_several_slots_is_busy_when_each_has_a_shard() -> None:
    assert [launch(4, 2, held=held, slots=4)[0].launched for held in (3, 4, 5, 8)] == [0, 0, 1, 1]


def test_an_empty_queue_starts_nobody() -> None:
    assert launch(0) == ()


def test_what_was_planned_just_now_counts_although_the_queue_does_not_show_it_yet() -> None:
    assert launch(0, planned=9) == (LaneStaffing("connect", 9, 0, 3),)


def test_what_idle_workers_took_since_it_was_planned_starts_nobody_again() -> None:
    assert launch(0, 8, planned=8, held=8) == ()
    assert launch(0, 8, planned=12, held=4) == (LaneStaffing("connect", 8, 8, 0),)


def test_express_shards_need_no_worker() -> None:
    assert launch(50, lane=Lane.EXPRESS) == ()


def test_the_same_wakeup_twice_starts_workers_once() -> None:
    queues, fleet = MemoryShardQueues(), MemoryFleet()
    queues.send(Lane.RAW, [ShardQueued(scan_id=SCAN_ID, cause_id="planned", shard=0)])
    for _ in range(2):
        launch_workers(
            WorkersWanted(id="one"),
            stack_switch=TABLE,
            queues=queues,
            fleet=fleet,
            max_workers=5,
            shards_per_worker=1,
        )
    assert fleet.workers[Lane.RAW] == 1


def test_after_a_worker_that_failed_at_once_the_tick_starts_the_next() -> None:
    queues, fleet = MemoryShardQueues(), MemoryFleet()
    queues.send(Lane.RAW, [ShardQueued(scan_id=SCAN_ID, cause_id="planned", shard=0)])
    for wakeup in (WorkersWanted(id="stopped", failed_at_once=True), WorkersWanted(id="tick")):
        assert fleet.workers[Lane.RAW] == 0
        launch_workers(wakeup, stack_switch=TABLE, queues=queues, fleet=fleet, max_workers=5, shards_per_worker=1)
    assert fleet.workers[Lane.RAW] == 1


def test_no_worker_is_started_where_none_is_allowed() -> None:
    assert launch(50, most=0) == (LaneStaffing("connect", 50, 0, 0),)


@pytest.mark.parametrize(
    ("waiting", "running", "most", "then"),
    [
        ((3, 2), (0, 0), 10, (3, 2)),
        ((1000, 1), (0, 0), 10, (9, 1)),  # a wide scan leaves room for a small one of the other lane
        ((1000, 1000), (0, 0), 10, (5, 5)),
        ((1000, 1000), (8, 0), 10, (8, 2)),  # nobody is stopped to make room
        ((1000, 1000), (10, 0), 10, (10, 0)),
        ((1000, 0), (0, 4), 10, (6, 4)),  # who runs without work still takes a place, until it ends
        ((1000, 1000), (12, 0), 10, (12, 0)),  # MaxWorkers was lowered
    ],
)
def test_both_lanes_share_the_places_that_are_free(
    waiting: tuple[int, int], running: tuple[int, int], most: int, then: tuple[int, int]
) -> None:
    assert launch_both(*waiting, running=running, most=most) == then


@pytest.mark.parametrize("spot_is_short", [False, True])
def test_spot_is_asked_first_unless_it_just_ran_short(spot_is_short: bool) -> None:
    queues, fleet = MemoryShardQueues(), MemoryFleet()
    wakeup = WorkersWanted(id="stopped", planned={Lane.RAW: 1}, spot_is_short=spot_is_short)
    launch_workers(wakeup, stack_switch=TABLE, queues=queues, fleet=fleet, max_workers=5, shards_per_worker=1)
    assert fleet.on_spot == [not spot_is_short]


def test_nobody_is_started_while_the_stack_is_halted() -> None:
    table, queues, fleet = MemoryScanTable(), MemoryShardQueues(), MemoryFleet()
    table.halt(Switch(halted_at=datetime(2026, 3, 1, tzinfo=UTC)))
    wakeup = WorkersWanted(id="tick", planned={Lane.RAW: 4})
    launched = launch_workers(
        wakeup, stack_switch=table, queues=queues, fleet=fleet, max_workers=5, shards_per_worker=1
    )
    assert launched == ()
    assert not fleet.launches
