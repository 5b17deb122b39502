"""A shard out of attempts is failed; its scan goes on, and ends when this was its last open one."""

from __future__ import annotations

from dataclasses import dataclass

from cascan.clock import Clock
from cascan.closing import close_shard, settle
from cascan.errors import MalformedMessage
from cascan.events import ShardQueued
from cascan.gateways import EventBus, ScanTable, ShardQueues
from cascan.model.scan import Outcome
from cascan.model.shard import OPEN_STATES, ShardClosing, ShardState


@dataclass(frozen=True, slots=True)
class Closed:
    """What came of a dead letter, for the log."""

    scan_id: str
    shard: int
    attempts: int
    shard_state: str
    scan_state: str


def close_abandoned(
    message: ShardQueued, *, table: ScanTable, queues: ShardQueues, bus: EventBus, clock: Clock
) -> Closed:
    """Fail the shard, unless it was closed after all. Raises: MalformedMessage: there is no such shard."""
    scan, shard = table.get_scan(message.scan_id), table.get_shard(message.scan_id, message.shard)
    if scan is None or shard is None:
        raise MalformedMessage(f"scan {message.scan_id} has no shard {message.shard}")
    if shard.state not in OPEN_STATES:  # the last attempt did its work, and only its message was left
        error = shard.error_description
        settled = settle(shard.scan_id, table=table, queues=queues, bus=bus, clock=clock, error=error) or scan
        return Closed(shard.scan_id, shard.number, shard.attempt, shard.state, settled.state)
    closing = ShardClosing(
        state=ShardState.FAILED,
        outcome=Outcome.FAILED,
        error_description=f"shard {shard.number} was given up after {shard.attempt} attempts",
    )
    closed = close_shard(shard.scan_id, shard.number, closing, table=table, queues=queues, bus=bus, clock=clock) or scan
    return Closed(shard.scan_id, shard.number, shard.attempt, closing.state, closed.state)
