"""Decide what becomes of a shard that a worker returned: it waits, is queued again, or is given up.

The worker may be stolen. Its message needs the shard's token, and everything else is compared with
the table, which also says whether the scan may run. A shard that is queued afterwards has a message,
so a repeat of the worker's message at most sends one too many.
"""

from __future__ import annotations

from dataclasses import dataclass
from hmac import compare_digest

from cascan.errors import MalformedMessage, ShardBusy
from cascan.events import ShardReturned
from cascan.gateways import ScanGateways
from cascan.limits import MAX_REASON_CHARS, MAX_STDERR_CHARS
from cascan.log_context import add_log_context
from cascan.model.scan import Scan
from cascan.model.shard import OPEN_STATES, Shard, ShardReturn, ShardState
from cascan.scans.close import settle_scan
from cascan.scans.load_scan import load_scan
from cascan.scans.release import (
    build_shard_message,
    find_shard_token,
    release_waiting,
    retry_delay_s,
)
from cascan.scans.transitions import HOLD_REASONS, StopReason, run_permission
from on_shard_abandoned.close_abandoned_shard import give_up_shard

# Of the message of a waiting shard: the sender of the shard's message may be about to release it
DELIVERIES_BEFORE_A_DROP = 3


@dataclass(frozen=True, slots=True)
class ShardTakenBack:
    """What was done for a returned shard, for the log."""

    scan_id: str
    shard: int
    attempt: int
    did: str
    shard_state: str  # afterwards


def take_back_shard(
    message: ShardReturned,
    gateways: ScanGateways,
    *,
    deliveries: int = 1,
) -> ShardTakenBack:
    """Have the shard wait, queue it again, or give it up, as its scan and its failures require.

    `deliveries`: of this message so far, this one included.

    Raises: MalformedMessage: there is no such shard, or the token is not its own. ShardBusy: the
    message must be delivered again.
    """
    add_log_context(scan_id=message.scan_id, shard=message.shard, trace_id=message.trace_id)
    scan = load_scan(gateways.table, message.scan_id)
    token = _check_token(message, scan, gateways)
    returned = _ReturnedShard(message, scan, token, gateways, deliveries)
    did = returned.settle()
    shard = gateways.table.get_shard(message.scan_id, message.shard)
    state = shard.state.value if shard else ""
    return ShardTakenBack(message.scan_id, message.shard, message.attempt, did, state)


def _check_token(message: ShardReturned, scan: Scan, gateways: ScanGateways) -> str:
    """The shard's token, if the worker knows it.

    A shard that an earlier version stored gets one here, unless a worker holds it: its message had
    none.
    """
    token = find_shard_token(scan, message.shard)
    if not token:
        token = gateways.table.find_moved_token(scan.scan_id, message.shard)
        if not message.token and not message.attempt:
            return token or _move_unheld_shard(message, gateways)
    if not token or not compare_digest(message.token.encode(), token.encode()):
        name = f"shard {message.shard} of scan {message.scan_id}"
        raise MalformedMessage(f"{name} was returned without its token")
    return token


def _move_unheld_shard(message: ShardReturned, gateways: ScanGateways) -> str:
    """The token of the shard, once it is where a worker reaches it. Empty: a worker holds it."""
    shard = gateways.table.get_shard(message.scan_id, message.shard)
    if shard is None or shard.is_held(gateways.clock()):
        return ""
    return gateways.table.move_shard(message.scan_id, message.shard)


@dataclass(frozen=True, slots=True)
class _ReturnedShard:
    message: ShardReturned
    scan: Scan
    token: str
    gateways: ScanGateways
    deliveries: int

    def settle(self) -> str:
        """What was done."""
        shard = self._get_shard()
        if shard.state not in OPEN_STATES:
            # An earlier delivery gave it up, and may have gone no further
            settle_scan(shard.scan_id, self.gateways, error=shard.error_description)
            return f"already {shard.state}"
        blocked_by = self._find_block()
        if self.message.attempt:
            if shard.attempt != self.message.attempt:
                return "superseded by a later attempt"
            if shard.state is ShardState.RUNNING:
                shard = self._end_attempt(shard, waits=blocked_by in HOLD_REASONS)
        if shard.state is ShardState.WAITING:
            return self._release(shard, blocked_by)
        if shard.state is ShardState.QUEUED:
            return self._queue_again(shard, blocked_by)
        return self._leave_to_holder(shard)

    def _get_shard(self) -> Shard:
        shard = self.gateways.table.get_shard(self.message.scan_id, self.message.shard)
        if shard is None:
            name = f"scan {self.message.scan_id} has no shard {self.message.shard}"
            raise MalformedMessage(name)
        return shard

    def _find_block(self) -> StopReason | None:
        """Why the scan may not run now."""
        brief = self.gateways.table.scan_brief(self.scan.scan_id)
        if brief is None:
            return StopReason.OVER
        return run_permission(brief, self.gateways.clock()).blocked_by

    def _end_attempt(self, shard: Shard, *, waits: bool) -> Shard:
        """The shard after its attempt was ended, here or by another process."""
        message, now = self.message, self.gateways.clock()
        back = ShardReturn(
            to=ShardState.WAITING if waits else ShardState.QUEUED,
            failed=message.failed,
            error_description=message.error_description[:MAX_REASON_CHARS],
            stderr=message.stderr[:MAX_STDERR_CHARS],
            usage=shard.attempt_usage(message.capacity, now),
        )
        table = self.gateways.table
        ended = table.return_shard(message.scan_id, message.shard, message.attempt, back)
        return ended or self._get_shard()

    def _release(self, shard: Shard, blocked_by: StopReason | None) -> str:
        """Release a waiting shard if it may run now.

        Its message was sent before it is released, so its sender may be about to do that.
        """
        if self.message.attempt:
            return self._wait(shard)
        table = self.gateways.table
        if blocked_by is None and table.release_shard(shard.scan_id, shard.number):
            return self._send(shard)
        shard = self._get_shard()
        if shard.state is ShardState.QUEUED and blocked_by is None:
            return self._send(shard)
        if self.deliveries < DELIVERIES_BEFORE_A_DROP:
            raise ShardBusy(f"shard {shard.number} of scan {shard.scan_id} waits")
        return "waits"

    def _wait(self, shard: Shard) -> str:
        """The shard was set to waiting here; its scan may have been resumed a moment before."""
        scan = self.gateways.table.get_scan(shard.scan_id) or self.scan
        release_waiting(scan, self.gateways)
        return "waits"

    def _queue_again(self, shard: Shard, blocked_by: StopReason | None) -> str:
        if self.message.attempt and shard.failures > shard.backoff_limit:
            give_up_shard(shard, self.gateways)
            return "given up"
        if blocked_by in HOLD_REASONS:
            self.gateways.table.hold_shard(shard.scan_id, shard.number)
            return self._wait(shard)
        if blocked_by:  # the function that ends the scan closes the shard
            return blocked_by.value
        return self._send(shard)

    def _send(self, shard: Shard) -> str:
        delay_s = retry_delay_s(shard.failures) if self.message.failed else 0
        message = build_shard_message(shard, self.scan, self.token)
        vantage = self.scan.vantage
        self.gateways.queues.send(shard.lane, [message], delay_s=delay_s, vantage=vantage)
        return "queued"

    def _leave_to_holder(self, shard: Shard) -> str:
        """Another worker has the shard, and its message, which comes again if that worker dies.

        The message of a shard that an earlier version stored may just have come again.
        """
        if self.message.token:
            return f"{shard.worker} has it"
        if not shard.is_held(self.gateways.clock()):
            return self._send(shard)
        if self.deliveries < DELIVERIES_BEFORE_A_DROP:
            raise ShardBusy(f"shard {shard.number} of scan {shard.scan_id} is at {shard.worker}")
        return f"{shard.worker} has it"
