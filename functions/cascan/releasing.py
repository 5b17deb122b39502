"""Which of a scan's waiting shards get their message now: as many as its ceiling leaves room for, if it may run at all.

The queue never holds more of one scan than the scan's ceiling, so that a scan of thousands of shards does not stand in
the way of a small one, and what is suspended, halted or outside its hours waits in the table, where no attempt counts.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import islice

from cascan.clock import Clock
from cascan.events import ShardQueued
from cascan.gateways import ScanTable, ShardQueues
from cascan.life_cycle import HELD, standing_of
from cascan.limits import LOOK_AGAIN_S, MAX_RELEASED_AT_ONCE
from cascan.model.agenda import AgendaEntry, What
from cascan.model.scan import UNDER_WAY, Scan
from cascan.model.shard import IN_FLIGHT, Shard, ShardState


def release_next(scan: Scan, *, table: ScanTable, queues: ShardQueues, clock: Clock) -> dict[str, int]:
    """Queue the next waiting shards; how many by lane. `scan` is as it stands now. Safe to repeat at any point.

    The message goes first, then the shard is marked: what breaks off in between sends a message twice, which a worker
    finds out, and never marks a shard that nobody hears of.
    """
    room = min(scan.parallel - scan.shards_in_flight, scan.shards_waiting, MAX_RELEASED_AT_ONCE)
    if room <= 0 or scan.state not in UNDER_WAY or _is_held(scan, table, clock):
        return {}
    released: Counter[str] = Counter()
    for shard in islice(table.shards_in(scan.scan_id, ShardState.WAITING), room):
        queues.send(shard.lane, [message_of(shard, scan)])
        if table.release_shard(shard.scan_id, shard.number):
            released[shard.lane.value] += 1
    return dict(released)


def send_again(scan: Scan, *, table: ScanTable, queues: ShardQueues, clock: Clock) -> dict[str, int]:
    """A message for each shard that should have one and that no worker holds; how many by lane.

    A second message does no harm, and a missing one would leave its shard queued for ever.
    """
    sent: Counter[str] = Counter()
    if scan.state in UNDER_WAY:
        for shard in table.shards(scan.scan_id):
            if shard.state in IN_FLIGHT and not shard.is_held(clock()):
                queues.send(shard.lane, [message_of(shard, scan)])
                sent[shard.lane.value] += 1
    return dict(sent)


def message_of(shard: Shard, scan: Scan) -> ShardQueued:
    """What tells a worker of the shard."""
    return ShardQueued(scan_id=scan.scan_id, cause_id=scan.cause_id, hop=scan.hop, shard=shard.number)


def _is_held(scan: Scan, table: ScanTable, clock: Clock) -> bool:
    """Whether nothing of it may run now. A window that opens is on the agenda as long as the scan is open."""
    brief, now = table.scan_brief(scan.scan_id), clock()
    if brief is None or standing_of(brief, now).why_not not in HELD:
        return False
    if brief.halted:  # at the full minute, so that every release that fails meanwhile is one entry
        again = now.replace(second=0, microsecond=0) + timedelta(seconds=LOOK_AGAIN_S)
        table.plan_at(AgendaEntry(again, scan.scan_id, What.RELEASE))
    return True
