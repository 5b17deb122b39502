"""A shard out of attempts is failed; its scan goes on, and ends when this was its last open one."""

from __future__ import annotations

from dataclasses import dataclass

from cascan.clock import Clock
from cascan.errors import MalformedMessage, ShardBusy
from cascan.events import ShardQueued
from cascan.gateways import EventBus, ScanTable, ShardQueues
from cascan.model.scan import Outcome
from cascan.model.shard import LOST, OPEN_STATES, Shard, ShardClosing, ShardState
from cascan.scans.close import close_shard, settle_scan


@dataclass(frozen=True, slots=True)
class AbandonedShard:
    """What came of a dead letter, for the log."""

    scan_id: str
    shard: int
    attempts: int
    shard_state: str
    scan_state: str


def close_abandoned_shard(
    message: ShardQueued, message_id: str, *, table: ScanTable, queues: ShardQueues, bus: EventBus, clock: Clock
) -> AbandonedShard:
    """Fail the shard with its last error, unless it was closed after all, or somebody else has it.

    A dead letter may be a duplicate: of a shard that waits, or that runs by another message, which comes again should
    its holder die. Raises: MalformedMessage: there is no such shard. ShardBusy: the holder of this very message lives.
    """
    scan, shard = table.get_scan(message.scan_id), table.get_shard(message.scan_id, message.shard)
    if scan is None or shard is None:
        raise MalformedMessage(f"scan {message.scan_id} has no shard {message.shard}")
    if shard.state not in OPEN_STATES:  # the last attempt did its work, and only its message was left
        error = shard.error_description
        settled = settle_scan(shard.scan_id, table=table, queues=queues, bus=bus, clock=clock, error=error) or scan
        return AbandonedShard(shard.scan_id, shard.number, shard.attempt, shard.state, settled.state)
    if shard.state is ShardState.WAITING or (_has_holder(shard) and shard.message_id != message_id):
        return AbandonedShard(shard.scan_id, shard.number, shard.attempt, shard.state, scan.state)
    if shard.is_held(clock()):
        raise ShardBusy(f"shard {shard.number} of scan {shard.scan_id} is {shard.state} at {shard.worker}")
    closing = ShardClosing(state=ShardState.FAILED, outcome=Outcome.FAILED, error_description=_why(shard))
    closed = close_shard(shard.scan_id, shard.number, closing, table=table, queues=queues, bus=bus, clock=clock) or scan
    return AbandonedShard(shard.scan_id, shard.number, shard.attempt, closing.state, closed.state)


def _has_holder(shard: Shard) -> bool:
    return shard.state in (ShardState.RUNNING, ShardState.REPORTED)


def _why(shard: Shard) -> str:
    """The last error, and what nmap said then."""
    attempts = f"shard {shard.number} was given up after {shard.attempt} attempts"
    error = shard.error_description or (LOST if _has_holder(shard) else "")
    return "; ".join(part for part in (attempts, error, shard.stderr and f"nmap said: {shard.stderr}") if part)
