"""A shard out of attempts is failed; its scan goes on, and ends when this was its last open one."""

from __future__ import annotations

from cascan.clock import Clock
from cascan.closing import close_shard, settle
from cascan.errors import MalformedMessage
from cascan.events import ShardQueued
from cascan.gateways import EventBus, ScanTable
from cascan.model.scan import Outcome, Scan
from cascan.model.shard import OPEN_STATES, ShardClosing, ShardState


def close_abandoned(message: ShardQueued, *, table: ScanTable, bus: EventBus, clock: Clock) -> Scan | None:
    """The scan as it stands afterwards. Raises: MalformedMessage: there is no such shard."""
    shard = table.get_shard(message.scan_id, message.shard)
    if shard is None:
        raise MalformedMessage(f"scan {message.scan_id} has no shard {message.shard}")
    if shard.state not in OPEN_STATES:  # the last attempt did its work, and only its message was left
        return settle(message.scan_id, table=table, bus=bus, clock=clock)
    closing = ShardClosing(
        state=ShardState.FAILED,
        outcome=Outcome.FAILED,
        error_description=shard.error_description
        or f"shard {shard.number} was given up after {shard.attempt} attempts",
    )
    return close_shard(message.scan_id, message.shard, closing, table=table, bus=bus, clock=clock)
