"""Start the workers that are missing for the waiting shards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from cascan.events import WorkersWanted
from cascan.gateways import Fleet, ShardQueues, StackSwitch
from cascan.model.shard import Lane

WORKER_LANES = (Lane.CONNECT, Lane.RAW)


@dataclass(frozen=True, slots=True)
class LaneStaffing:
    """The waiting shards and the workers of one lane, for the log.

    The next tick asks for those not started.
    """

    lane: str
    waiting: int
    running: int
    launched: int
    not_started: tuple[str, ...] = ()  # why fewer were started than requested, one sentence each


def launch_workers(
    wakeup: WorkersWanted,
    *,
    stack_switch: StackSwitch,
    queues: ShardQueues,
    fleet: Fleet,
    max_workers: int,
    shards_per_worker: int,
    worker_slots: int = 1,
) -> tuple[LaneStaffing, ...]:
    """Start a worker per `shards_per_worker` waiting shards, at most `max_workers` in all.

    Busy workers do not count for waiting shards: a shard may take hours. Nothing is started while
    the stack is halted, or after a worker that failed at once; in both cases the next tick tries
    again.
    """
    if wakeup.failed_at_once:
        return ()
    held = {lane: queues.held(lane) for lane in WORKER_LANES}
    waiting = {lane: _count_waiting(lane, wakeup, queues, held[lane]) for lane in WORKER_LANES}
    if not any(waiting.values()) or stack_switch.switch():
        return ()
    running = {lane: fleet.running(lane) for lane in WORKER_LANES}
    needed = {}
    for lane, shards in waiting.items():
        busy = min(running[lane], ceil(held[lane] / worker_slots))
        needed[lane] = busy + ceil(shards / shards_per_worker)
    staffing = [
        _launch_in_lane(
            lane,
            missing,
            waiting=waiting[lane],
            running=running[lane],
            wakeup=wakeup,
            fleet=fleet,
        )
        for lane, missing in _share_places(needed, running, max_workers).items()
    ]
    return tuple(entry for entry in staffing if entry)


def _count_waiting(lane: Lane, wakeup: WorkersWanted, queues: ShardQueues, held: int) -> int:
    """The waiting shards by SQS's count or by the event's.

    The event knows of shards that SQS does not count yet.

    Idle workers may have received some of the event's shards already: these are among the held
    ones.
    """
    return max(queues.waiting(lane), wakeup.planned.get(lane, 0) - held)


def _launch_in_lane(
    lane: Lane, missing: int, *, waiting: int, running: int, wakeup: WorkersWanted, fleet: Fleet
) -> LaneStaffing | None:
    """Start `missing` workers. None: no shard waits in the lane."""
    launch = None
    if missing:
        launch = fleet.launch(lane, missing, wakeup.id, spot=not wakeup.spot_is_short)
    if not waiting:
        return None
    started, reasons = (launch.started, launch.reasons) if launch else (0, ())
    return LaneStaffing(lane, waiting, running, started, reasons)


def _share_places(
    needed: Mapping[Lane, int],
    running: Mapping[Lane, int],
    most: int,
) -> dict[Lane, int]:
    """The number of workers to start per lane.

    Each free place goes to the lane with the fewest workers of those that need more.
    """
    staffed = dict(running)
    for _ in range(most - sum(running.values())):
        short = [lane for lane in needed if staffed[lane] < needed[lane]]
        if not short:
            break
        staffed[min(short, key=lambda lane: staffed[lane])] += 1
    return {lane: staffed[lane] - running[lane] for lane in needed}
