"""A message → its shard, claimed; or the reason why there is nothing to run. The message asks, the table decides."""

from __future__ import annotations

from datetime import timedelta

from cascan.errors import MalformedMessage, ShardBusy
from cascan.events import ShardQueued
from cascan.model.shard import OPEN_STATES, Shard, ShardReturn, ShardState
from cascan.scans.transitions import HOLD_REASONS, RunPermission, run_permission
from on_shard_queued.delivery import Delivery, Worker
from on_shard_queued.finish_shard import build_remainder_message

DELIVERIES_BEFORE_A_DROP = 3  # of a shard that waits: whoever sent its message may be about to release it


def claim_shard(message: ShardQueued, delivery: Delivery, worker: Worker) -> tuple[Shard, RunPermission] | str:
    """The shard, and until when it may run. Or a word: the message is done with, whatever becomes of its shard.

    Raises: MalformedMessage: there is no such shard. ShardBusy: somebody moved it at the same moment.
    """
    brief = worker.table.scan_brief(message.scan_id)
    if brief is None:
        raise MalformedMessage(f"there is no scan {message.scan_id}")
    standing = run_permission(brief, worker.clock())
    if standing.blocked_by in HOLD_REASONS:
        _hold(message, delivery, worker)
    if standing.blocked_by:
        return standing.blocked_by.value
    shard = _claim(message, delivery, worker)
    return (shard, standing) if isinstance(shard, Shard) else shard


def _hold(message: ShardQueued, delivery: Delivery, worker: Worker) -> None:
    """Its scan may not run: the shard waits, without a message, until it is released again. No attempt is counted."""
    if worker.table.hold_shard(message.scan_id, message.shard):
        return
    left = _claimed(message, delivery, worker)  # its holder died before it could put it back
    if left:
        back = ShardReturn(to=ShardState.WAITING, failed=False)
        worker.table.return_shard(message.scan_id, message.shard, left.attempt, back)
        return
    shard = worker.table.get_shard(message.scan_id, message.shard)
    if shard and shard.state is ShardState.WAITING:
        _retry_before_drop(shard, delivery)


def _claim(message: ShardQueued, delivery: Delivery, worker: Worker) -> Shard | str:
    if shard := _claimed(message, delivery, worker):
        return shard
    shard = worker.table.get_shard(message.scan_id, message.shard)
    if shard is None:
        raise MalformedMessage(f"scan {message.scan_id} has no shard {message.shard}")
    if shard.state not in OPEN_STATES:
        return f"already {shard.state}"
    if shard.is_held(worker.clock()):
        return f"duplicate: {shard.worker} has it"  # whose own message is still there, should it die
    if shard.state is ShardState.WAITING and not worker.table.release_shard(message.scan_id, message.shard):
        _retry_before_drop(shard, delivery)
        return "waits for a place"  # it gets a message again when one of its scan is free
    if shard := _claimed(message, delivery, worker):
        return shard
    raise ShardBusy(f"shard {message.shard} of scan {message.scan_id} is moved by somebody else")


def _claimed(message: ShardQueued, delivery: Delivery, worker: Worker) -> Shard | None:
    now = worker.clock()
    shard = worker.table.claim_shard(
        message.scan_id,
        message.shard,
        worker=worker.name,
        message_id=delivery.message_id,
        lease_until=now + timedelta(seconds=delivery.lease_s),
        now=now,
    )
    if shard and shard.remainder is not None:
        _resend_remainder(shard, shard.remainder, message, worker)
    return shard


def _retry_before_drop(shard: Shard, delivery: Delivery) -> None:
    """A message leaves before its shard is released: dropped in between it would leave a queued shard without one.

    Raises: ShardBusy: this may be such a moment; the message is to come again.
    """
    if delivery.deliveries < DELIVERIES_BEFORE_A_DROP:
        raise ShardBusy(f"shard {shard.number} of scan {shard.scan_id} waits")


def _resend_remainder(shard: Shard, number: int, message: ShardQueued, worker: Worker) -> None:
    """Whoever cut the shard may have died before the message of its remainder left."""
    rest = worker.table.get_shard(shard.scan_id, number)
    if rest and rest.state is ShardState.QUEUED:
        worker.queues.send(rest.lane, [build_remainder_message(rest, message)])
