"""Queue waiting shards of a scan, up to its `parallel`, if the scan may run now.

A queue never holds more than `parallel` shards of one scan, so a scan of thousands of shards does
not delay a small one. Shards of a scan that is suspended, halted or outside its hours wait in the
table, where no attempt is counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import islice

from cascan.events import ShardQueued
from cascan.gateways import ScanGateways
from cascan.ids import derive_shard_token
from cascan.limits import MAX_RELEASED_AT_ONCE, MAX_RETRY_DELAY_S
from cascan.model.agenda import AgendaEntry, AgendaTask
from cascan.model.scan import UNDER_WAY, Scan
from cascan.model.shard import IN_FLIGHT, Lane, Shard, ShardState
from cascan.scans.agenda import next_minute
from cascan.scans.transitions import StopReason, run_permission

RETRY_AFTER_S = 5  # after the first failure; four times as long after each further one


def release_waiting(scan: Scan, gateways: ScanGateways) -> dict[str, int]:
    """Queue the next waiting shards of the scan, which has just been read; their number by lane.

    Safe to repeat.

    Each message is sent before its shard is marked as queued. A crash between the two leads to a
    second message, which a worker recognises; the other order could leave a queued shard without a
    message.
    """
    room = min(scan.parallel - scan.shards_in_flight, scan.shards_waiting, MAX_RELEASED_AT_ONCE)
    if room <= 0 or scan.state not in UNDER_WAY or _is_blocked(scan, gateways):
        return {}
    released: Counter[str] = Counter()
    for shard in islice(gateways.table.list_shards_in(scan.scan_id, ShardState.WAITING), room):
        gateways.queues.send(shard.lane, [build_shard_message(shard, scan)], vantage=scan.vantage)
        if gateways.table.release_shard(shard.scan_id, shard.number):
            released[shard.lane.value] += 1
    return dict(released)


def resend_messages(scan: Scan, gateways: ScanGateways) -> dict[str, int]:
    """Send a message again for each queued shard that no worker holds; their number by lane.

    A second message does no harm, but a lost one would leave its shard queued for ever.
    """
    messages: defaultdict[Lane, list[ShardQueued]] = defaultdict(list)
    if scan.state in UNDER_WAY and not scan.is_overdue(gateways.clock()):
        for shard in gateways.table.shards(scan.scan_id):
            if shard.state in IN_FLIGHT and not shard.is_held(gateways.clock()):
                messages[shard.lane].append(build_shard_message(shard, scan))
    for lane, lane_messages in messages.items():
        gateways.queues.send(lane, lane_messages, vantage=scan.vantage)
    return {lane.value: len(lane_messages) for lane, lane_messages in messages.items()}


def build_shard_message(shard: Shard, scan: Scan, token: str = "") -> ShardQueued:
    """The message of the shard, for a worker. `token`: of a shard that was moved."""
    return ShardQueued(
        scan_id=scan.scan_id,
        cause_id=scan.cause_id,
        hop=scan.hop,
        shard=shard.number,
        token=token or find_shard_token(scan, shard.number),
        trace_id=scan.trace_id,
    )


def find_shard_token(scan: Scan, number: int) -> str:
    """The token of a shard. Empty: an earlier version stored the shard, without one."""
    return derive_shard_token(scan.shard_secret, number) if scan.shard_secret else ""


def retry_delay_s(failures: int) -> int:
    """Seconds until a shard with so many failures is tried again."""
    delay_s: int = RETRY_AFTER_S * 4 ** max(0, failures - 1)
    return min(delay_s, MAX_RETRY_DELAY_S)


def _is_blocked(scan: Scan, gateways: ScanGateways) -> bool:
    """Whether the scan may not run now.

    The agenda has the entries for its next window and its deadline.
    """
    brief, now = gateways.table.scan_brief(scan.scan_id), gateways.clock()
    blocked_by = run_permission(brief, now).blocked_by if brief else StopReason.OVER
    if blocked_by is None:
        return False
    if blocked_by is StopReason.HALTED:
        next_check = AgendaEntry(next_minute(now), scan.scan_id, AgendaTask.RELEASE)
        gateways.table.add_to_agenda(next_check)
    return True
