"""Which of a scan's waiting shards get their message now: as many as its ceiling leaves room for, if it may run at all.

The queue never holds more of one scan than the scan's ceiling, so that a scan of thousands of shards does not stand in
the way of a small one, and what is suspended, halted or outside its hours waits in the table, where no attempt counts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import islice

from cascan.clock import Clock
from cascan.events import ShardQueued
from cascan.gateways import ScanTable, ShardQueues
from cascan.limits import MAX_RELEASED_AT_ONCE
from cascan.model.agenda import AgendaEntry, AgendaTask
from cascan.model.scan import UNDER_WAY, Scan
from cascan.model.shard import IN_FLIGHT, Lane, Shard, ShardState
from cascan.scans.agenda import next_minute
from cascan.scans.transitions import StopReason, run_permission


def release_waiting(scan: Scan, *, table: ScanTable, queues: ShardQueues, clock: Clock) -> dict[str, int]:
    """Queue the next waiting shards; how many by lane. `scan` is as it stands now. Safe to repeat at any point.

    The message goes first, then the shard is marked: what breaks off in between sends a message twice, which a worker
    finds out, and never marks a shard that nobody hears of.
    """
    room = min(scan.parallel - scan.shards_in_flight, scan.shards_waiting, MAX_RELEASED_AT_ONCE)
    if room <= 0 or scan.state not in UNDER_WAY or _is_blocked(scan, table, clock):
        return {}
    released: Counter[str] = Counter()
    for shard in islice(table.list_shards_in(scan.scan_id, ShardState.WAITING), room):
        queues.send(shard.lane, [build_shard_message(shard, scan)])
        if table.release_shard(shard.scan_id, shard.number):
            released[shard.lane.value] += 1
    return dict(released)


def resend_messages(scan: Scan, *, table: ScanTable, queues: ShardQueues, clock: Clock) -> dict[str, int]:
    """A message for each shard that should have one and that no worker holds; how many by lane.

    A second message does no harm, and a missing one would leave its shard queued for ever.
    """
    messages: defaultdict[Lane, list[ShardQueued]] = defaultdict(list)
    if scan.state in UNDER_WAY and not scan.is_overdue(clock()):
        for shard in table.shards(scan.scan_id):
            if shard.state in IN_FLIGHT and not shard.is_held(clock()):
                messages[shard.lane].append(build_shard_message(shard, scan))
    for lane, of_lane in messages.items():
        queues.send(lane, of_lane)
    return {lane.value: len(of_lane) for lane, of_lane in messages.items()}


def build_shard_message(shard: Shard, scan: Scan) -> ShardQueued:
    """What tells a worker of the shard."""
    return ShardQueued(scan_id=scan.scan_id, cause_id=scan.cause_id, hop=scan.hop, shard=shard.number)


def _is_blocked(scan: Scan, table: ScanTable, clock: Clock) -> bool:
    """Whether nothing of it may run now, or ever. What opens its window or ends it in time is on the agenda."""
    brief, now = table.scan_brief(scan.scan_id), clock()
    blocked_by = run_permission(brief, now).blocked_by if brief else StopReason.OVER
    if blocked_by is None:
        return False
    if blocked_by is StopReason.HALTED:
        table.add_to_agenda(AgendaEntry(next_minute(now), scan.scan_id, AgendaTask.RELEASE))
    return True
