"""Claim the shard that a message names.

The message is only a hint: the table decides whether there is work to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from cascan.errors import MalformedMessage, ShardBusy
from cascan.events import ShardQueued
from cascan.model.shard import OPEN_STATES, Shard, ShardReturn, ShardState
from cascan.scans.transitions import HOLD_REASONS, RunPermission, run_permission
from on_shard_queued.delivery import Delivery, Worker
from on_shard_queued.finish_shard import build_remainder_message

# Of the message of a waiting shard: its sender may be about to release the shard
DELIVERIES_BEFORE_A_DROP = 3


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
    brief = worker.table.scan_brief(message.scan_id)
    if brief is None:
        raise MalformedMessage(f"there is no scan {message.scan_id}")
    permission = run_permission(brief, worker.clock())
    if permission.blocked_by in HOLD_REASONS:
        _hold_shard(message, delivery, worker)
    if permission.blocked_by:
        return NothingToRun(permission.blocked_by.value)
    claimed = _claim_or_explain(message, delivery, worker)
    return ClaimedShard(claimed, permission) if isinstance(claimed, Shard) else claimed


def _hold_shard(message: ShardQueued, delivery: Delivery, worker: Worker) -> None:
    """The scan may not run now: the shard waits without a message until it is released.

    No attempt is counted.
    """
    if worker.table.hold_shard(message.scan_id, message.shard):
        return
    # A worker died before it could return the shard
    abandoned = _try_claim(message, delivery, worker)
    if abandoned:
        to_waiting = ShardReturn(to=ShardState.WAITING, failed=False)
        worker.table.return_shard(message.scan_id, message.shard, abandoned.attempt, to_waiting)
        return
    shard = worker.table.get_shard(message.scan_id, message.shard, token=message.token)
    if shard and shard.state is ShardState.WAITING:
        _retry_before_drop(shard, delivery)


def _claim_or_explain(
    message: ShardQueued,
    delivery: Delivery,
    worker: Worker,
) -> Shard | NothingToRun:
    if shard := _try_claim(message, delivery, worker):
        return shard
    shard = worker.table.get_shard(message.scan_id, message.shard, token=message.token)
    if shard is None:
        raise MalformedMessage(f"scan {message.scan_id} has no shard {message.shard}")
    if shard.state not in OPEN_STATES:
        return NothingToRun(f"already {shard.state}")
    if shard.is_held(worker.clock()):  # by a worker whose own message comes again if it dies
        return NothingToRun(f"duplicate: {shard.worker} has it")
    is_waiting = shard.state is ShardState.WAITING
    if is_waiting and not worker.table.release_shard(message.scan_id, message.shard):
        _retry_before_drop(shard, delivery)
        # It gets a new message when another shard of the scan ends
        return NothingToRun("waits for a place")
    if shard := _try_claim(message, delivery, worker):
        return shard
    name = f"shard {message.shard} of scan {message.scan_id}"
    raise ShardBusy(f"{name} is being changed by another process")


def _try_claim(message: ShardQueued, delivery: Delivery, worker: Worker) -> Shard | None:
    now = worker.clock()
    shard = worker.table.claim_shard(
        message.scan_id,
        message.shard,
        worker=worker.name,
        message_id=delivery.message_id,
        lease_until=now + timedelta(seconds=delivery.lease_s),
        now=now,
        token=message.token,
    )
    if shard and shard.remainder is not None:
        _resend_remainder(shard, shard.remainder, message, worker)
    return shard


def _retry_before_drop(shard: Shard, delivery: Delivery) -> None:
    """A sender sends the message first and releases the shard second. A message that is dropped
    between the two would leave a queued shard without a message.

    Raises: ShardBusy: this may be such a moment, so the message must be delivered again.
    """
    if delivery.deliveries < DELIVERIES_BEFORE_A_DROP:
        raise ShardBusy(f"shard {shard.number} of scan {shard.scan_id} waits")


def _resend_remainder(shard: Shard, number: int, message: ShardQueued, worker: Worker) -> None:
    """The worker that cut the shard may have died before it sent the message of the remainder."""
    remainder = worker.table.get_shard(shard.scan_id, number)
    if remainder and remainder.state is ShardState.QUEUED:
        worker.queues.send(remainder.lane, [build_remainder_message(remainder, message)])
