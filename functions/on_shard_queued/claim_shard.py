"""Claim the shard that a message names.

The message is only a hint: the table decides whether there is work to do. What a worker may not
decide, it asks for by returning the shard.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from cascan.errors import MalformedMessage, ShardBusy
from cascan.events import ShardQueued, ShardReturned
from cascan.model.shard import OPEN_STATES, Shard, ShardState
from cascan.scans.transitions import HOLD_REASONS, RunPermission, run_permission
from on_shard_queued.delivery import Delivery, Worker


@dataclass(frozen=True, slots=True)
class ClaimedShard:
    """This worker holds the shard, and may run it under `permission`."""

    shard: Shard
    permission: RunPermission


@dataclass(frozen=True, slots=True)
class NothingToRun:
    """The message can be deleted; `reason` goes to the log."""

    reason: str


def claim_shard(
    message: ShardQueued,
    delivery: Delivery,
    worker: Worker,
) -> ClaimedShard | NothingToRun:
    """Claim the shard, unless its scan may not run, another worker holds it, or it is closed.

    Raises: MalformedMessage: there is no such shard. ShardBusy: the message must be delivered
    again.
    """
    if not message.token:  # no worker may reach a shard where an earlier version stored it
        worker.returns.send(build_return(message, worker))
        return NothingToRun("returned: its message has no token")
    brief = worker.table.scan_brief(message.scan_id)
    if brief is None:
        raise MalformedMessage(f"there is no scan {message.scan_id}")
    permission = run_permission(brief, worker.clock())
    if permission.blocked_by in HOLD_REASONS:
        _return_held_back(message, delivery, worker)
    if permission.blocked_by:
        return NothingToRun(permission.blocked_by.value)
    claimed = _claim_or_explain(message, delivery, worker)
    return ClaimedShard(claimed, permission) if isinstance(claimed, Shard) else claimed


def build_return(message: ShardQueued, worker: Worker, attempt: int = 0) -> ShardReturned:
    """The message that returns the shard without a failure. `attempt`: 0 if it was not claimed."""
    return ShardReturned(
        scan_id=message.scan_id,
        cause_id=message.cause_id,
        hop=message.hop,
        shard=message.shard,
        token=message.token,
        attempt=attempt,
        capacity=worker.capacity,
        trace_id=message.trace_id,
    )


def _return_held_back(message: ShardQueued, delivery: Delivery, worker: Worker) -> None:
    """The scan may not run now: the shard waits without a message until it is released."""
    shard = _get_shard(message, worker)
    if shard.state not in OPEN_STATES:
        return
    attempt = 0
    if shard.state in (ShardState.RUNNING, ShardState.REPORTED):
        # A worker may have died before it could return the shard
        abandoned = _try_claim(message, delivery, worker)
        if abandoned is None:
            return
        attempt = abandoned.attempt
    worker.returns.send(build_return(message, worker, attempt))


def _claim_or_explain(
    message: ShardQueued,
    delivery: Delivery,
    worker: Worker,
) -> Shard | NothingToRun:
    if shard := _try_claim(message, delivery, worker):
        return shard
    shard = _get_shard(message, worker)
    if shard.state not in OPEN_STATES:
        return NothingToRun(f"already {shard.state}")
    if shard.is_held(worker.clock()):  # by a worker whose own message comes again if it dies
        return NothingToRun(f"duplicate: {shard.worker} has it")
    if shard.state is ShardState.WAITING:  # its message is sent before it is released
        worker.returns.send(build_return(message, worker))
        return NothingToRun("returned: it waits")
    if shard := _try_claim(message, delivery, worker):
        return shard
    name = f"shard {message.shard} of scan {message.scan_id}"
    raise ShardBusy(f"{name} is being changed by another process")


def _get_shard(message: ShardQueued, worker: Worker) -> Shard:
    """The shard. Raises: MalformedMessage: there is none with this token."""
    shard = worker.table.get_shard(message.scan_id, message.shard, token=message.token)
    if shard is None:
        raise MalformedMessage(f"scan {message.scan_id} has no shard {message.shard}")
    return shard


def _try_claim(message: ShardQueued, delivery: Delivery, worker: Worker) -> Shard | None:
    now = worker.clock()
    return worker.table.claim_shard(
        message.scan_id,
        message.shard,
        worker=worker.name,
        message_id=delivery.message_id,
        lease_until=now + timedelta(seconds=delivery.lease_s),
        now=now,
        token=message.token,
    )
