"""A worker's loop: receive a message, run its shard, delete or return the message."""

from __future__ import annotations

import logging
import signal
import time
from dataclasses import asdict
from functools import partial
from types import FrameType

from cascan.errors import CascanError, GatewayUnavailable, Rejected, ShardLost
from cascan.events import ShardQueued
from cascan.gateways import Received, ShardSource
from cascan.log_context import add_log_context, clear_log_context
from on_shard_queued.delivery import Delivery, Worker
from on_shard_queued.run_shard import run_shard

logger = logging.getLogger("worker")
LONGEST_WAIT_S = 20  # of one poll of the queue
# 8 heartbeats. A message of a dead worker returns after it, and its shard can be taken over
HOLD_S = 120
# Then the task ends with an error; another one is started while shards wait
QUEUE_ERRORS_IN_A_ROW = 10
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 10.0  # between two attempts at a queue that does not answer
RETRY_AFTER_S = 5  # for a message that could not be handled


class Drain:
    """Runs one shard at a time, until the queue stays empty or a signal stops the worker."""

    def __init__(
        self,
        source: ShardSource,
        worker: Worker,
        idle_exit_s: int,
        shard_timeout_s: int,
    ) -> None:
        self._source = source
        self._worker = worker
        self._idle_exit_s = idle_exit_s
        self._shard_timeout_s = shard_timeout_s
        self._stopping = ""

    def stop(self, signum: int, _frame: FrameType | None) -> None:
        self._stopping = signal.Signals(signum).name

    def run(self) -> None:
        """Raises: GatewayUnavailable: the queue failed QUEUE_ERRORS_IN_A_ROW times."""
        errors, idle_since = 0, time.monotonic()
        wait_s = min(LONGEST_WAIT_S, max(1, self._idle_exit_s))
        while not self._stopping:
            try:
                received = self._source.receive(wait_s, HOLD_S)
                errors = 0
            except GatewayUnavailable:
                errors += 1
                if errors >= QUEUE_ERRORS_IN_A_ROW:
                    raise
                time.sleep(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**errors))
                continue
            if received:
                self._handle(received)
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since >= self._idle_exit_s:
                return

    def _handle(self, received: Received) -> None:
        clear_log_context()
        add_log_context(message_id=received.message_id)
        if self._stopping:  # the signal arrived while the message did
            self._return_message(received)
            return
        started_at, telemetry = time.time(), self._worker.telemetry
        failed = not self._run(received)
        telemetry.trace(started_at, failed=failed)
        clear_log_context()

    def _run(self, received: Received) -> bool:
        """Run the message's shard. False: it was not run to an end."""
        delivery = Delivery(
            message_id=received.message_id,
            time_limit_s=self._shard_timeout_s,
            lease_s=HOLD_S,
            deliveries=received.deliveries,
            extend=partial(self._source.hold, received, HOLD_S),
            stopping=lambda: self._stopping,
        )
        try:
            outcome = run_shard(ShardQueued.from_wire(received.body), delivery, worker=self._worker)
            self._source.delete(received)
            (logger.warning if outcome.error else logger.info)("shard run", extra=asdict(outcome))
            self._worker.telemetry.count(outcome.figures)
        except ShardLost as exc:
            # Its message is not deleted: another worker may hold the shard by it
            logger.warning("shard lost", extra={"reason": str(exc)})
            self._worker.telemetry.count({"ClaimsLost": 1})
        except Rejected as exc:
            self._park(received, str(exc))
        except (CascanError, OSError) as exc:
            # The message returns, and SQS moves it to the DLQ after several receives
            logger.warning("shard not run", extra={"error": type(exc).__name__, "reason": str(exc)})
            self._return_message(received)
        else:
            return not outcome.error
        return False

    def _park(self, received: Received, reason: str) -> None:
        """No retry can help this message: it is returned to be parked."""
        logger.error("message rejected", extra={"reason": reason})
        try:
            self._worker.returns.park(received.body, reason)
            self._source.delete(received)
        except GatewayUnavailable:
            self._return_message(received)

    def _return_message(self, received: Received) -> None:
        try:
            self._source.hold(received, 0 if self._stopping else RETRY_AFTER_S)
        except GatewayUnavailable:
            sentence = "message not returned; it becomes visible again later"
            logger.warning(sentence, extra={"after_s": HOLD_S})

    @property
    def stopping(self) -> str:
        return self._stopping
