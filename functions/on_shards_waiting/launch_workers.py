"""Are enough workers draining? If not, start the missing ones."""

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
    """What one lane had, and what it was given. What is missing still is asked for again by the next tick."""

    lane: str
    waiting: int
    running: int
    launched: int
    not_started: tuple[str, ...] = ()  # why fewer were started than were asked for, one sentence each


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
    """One worker for every `shards_per_worker` waiting shards, up to `max_workers` of all lanes together.

    Beside those that are busy: a shard may take hours. What the waking event says was queued just now counts as well:
    SQS counts what waits only after a while. None while the stack is halted; none after a worker that failed at once:
    the next tick tries again.
    """
    if wakeup.failed_at_once:
        return ()
    held = {lane: queues.held(lane) for lane in WORKER_LANES}
    # of what was queued just now, idle workers may hold some already: those wait no more
    waiting = {lane: max(queues.waiting(lane), wakeup.planned.get(lane, 0) - held[lane]) for lane in WORKER_LANES}
    if not any(waiting.values()) or stack_switch.switch():
        return ()
    running = {lane: fleet.running(lane) for lane in WORKER_LANES}
    busy = {lane: min(running[lane], ceil(held[lane] / worker_slots)) for lane in WORKER_LANES}
    wanted = {lane: busy[lane] + ceil(count / shards_per_worker) for lane, count in waiting.items()}
    staffing = []
    for lane, missing in _shares(wanted, running, max_workers).items():
        launch = fleet.launch(lane, missing, wakeup.id, spot=not wakeup.spot_is_short) if missing else None
        if waiting[lane]:
            started, reasons = (launch.started, launch.reasons) if launch else (0, ())
            staffing.append(LaneStaffing(lane, waiting[lane], running[lane], started, reasons))
    return tuple(staffing)


def _shares(wanted: Mapping[Lane, int], running: Mapping[Lane, int], most: int) -> dict[Lane, int]:
    """How many workers each lane is to get: the free places go one by one to the lane that has the fewest."""
    staffed = dict(running)
    for _ in range(most - sum(running.values())):
        short = [lane for lane in wanted if staffed[lane] < wanted[lane]]
        if not short:
            break
        staffed[min(short, key=lambda lane: staffed[lane])] += 1
    return {lane: staffed[lane] - running[lane] for lane in wanted}
