"""The heartbeat of a running shard.

It extends the shard's message and lease, and learns whether nmap must stop.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from cascan.errors import GatewayUnavailable
from cascan.model.shard import Progress, Shard
from cascan.scans.transitions import StopReason, run_permission
from on_shard_queued.delivery import Delivery, Worker
from on_shard_queued.progress import ReportTail

logger = logging.getLogger("worker")
HEARTBEAT_S = 15.0  # within this time nmap stops after a cancel, a suspend or a halt
TICK_S = 1.0  # between two checks while no nmap runs


class Heartbeat:
    """Called every second while nmap runs; writes a heartbeat every HEARTBEAT_S."""

    def __init__(self, shard: Shard, token: str, delivery: Delivery, worker: Worker) -> None:
        self._shard, self._token, self._delivery, self._worker = shard, token, delivery, worker
        self._beat_at = worker.clock()
        self._lease_until = shard.lease_until or self._beat_at
        self._tail: ReportTail | None = None
        self.stopped: StopReason | None = None  # the first reason to stop; it is kept

    def watch(self, tail: ReportTail) -> None:
        """From now on, write the progress of this report with each heartbeat."""
        self._tail = tail

    def __call__(self) -> StopReason | None:
        """Why nmap must stop; None: it may go on."""
        if self.stopped is None:
            self.stopped = StopReason.WORKER if self._delivery.stopping() else self._beat_if_due()
        return self.stopped

    @contextmanager
    def alongside(self) -> Iterator[None]:
        """Beat from a thread during the block.

        The block must not start a process, which would fork beside the thread.
        """
        over = threading.Event()
        thread = threading.Thread(
            target=self._tick_until,
            args=(over,),
            name="heartbeat",
            daemon=True,
        )
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _tick_until(self, over: threading.Event) -> None:
        while not over.wait(TICK_S):
            self._beat_if_due()

    def _beat_if_due(self) -> StopReason | None:
        now, shard = self._worker.clock(), self._shard
        if now - self._beat_at < timedelta(seconds=HEARTBEAT_S):
            return None
        lease_until = now + timedelta(seconds=self._delivery.lease_s)
        try:
            self._delivery.extend()
            has_shard = self._worker.table.beat(
                shard.scan_id,
                shard.number,
                shard.attempt,
                lease_until=lease_until,
                progress=self._progress(),
                token=self._token,
            )
            if not has_shard:
                return StopReason.LOST
            brief = self._worker.table.scan_brief(shard.scan_id)
        except GatewayUnavailable as exc:
            logger.warning("heartbeat failed", extra={"why": str(exc)})
            self._worker.telemetry.count({"HeartbeatsFailed": 1})
            too_late = now + timedelta(seconds=HEARTBEAT_S) >= self._lease_until
            return StopReason.HEARTBEAT if too_late else None
        self._beat_at, self._lease_until = now, lease_until
        return run_permission(brief, now).blocked_by if brief else StopReason.OVER

    def _progress(self) -> Progress | None:
        return self._tail.look() if self._tail else None
