"""Are enough workers draining? If not, start the missing ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cascan.gateways import Fleet, ShardQueues
from cascan.model.shard import Lane

WORKER_LANES = (Lane.CONNECT, Lane.RAW)


@dataclass(frozen=True, slots=True)
class LaneStaffing:
    """What one lane had, and what it was given."""

    lane: str
    waiting: int
    running: int
    launched: int


def launch_workers(
    wakeup_id: str,
    planned: Mapping[str, int],
    *,
    queues: ShardQueues,
    fleet: Fleet,
    max_workers: int,
    shards_per_worker: int,
) -> tuple[LaneStaffing, ...]:
    """One worker for every `shards_per_worker` waiting shards, up to `max_workers` a lane.

    `planned` is what the waking event says was queued just now, by lane: SQS counts what waits only after a while.
    """
    staffing = []
    for lane in WORKER_LANES:
        waiting = max(queues.waiting(lane), planned.get(lane, 0))
        if not waiting:
            continue
        running = fleet.running(lane)
        missing = min(max_workers, -(-waiting // shards_per_worker)) - running
        launched = fleet.launch(lane, missing, wakeup_id) if missing > 0 else 0
        staffing.append(LaneStaffing(lane, waiting, running, launched))
    return tuple(staffing)
