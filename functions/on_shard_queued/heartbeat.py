"""The heartbeat of a shard under way: keeps its message hidden and its lease alive, and hears why nmap must stop."""

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
HEARTBEAT_S = 15.0  # so a scan that is cancelled, suspended or halted stops within
TICK_S = 1.0  # between two ticks while something else than nmap is waited for


class Heartbeat:
    """Called every second while nmap lives; does something every HEARTBEAT_S."""

    def __init__(self, shard: Shard, delivery: Delivery, worker: Worker) -> None:
        self._shard, self._delivery, self._worker = shard, delivery, worker
        self._last = worker.clock()
        self._lease_until = shard.lease_until or self._last
        self._tail: ReportTail | None = None
        self.stopped: StopReason | None = None  # the first reason to stop that was heard of; it stays

    def watch(self, tail: ReportTail) -> None:
        """Tell from now on how far the report is."""
        self._tail = tail

    def __call__(self) -> str:
        """Why nmap must stop; empty: it need not."""
        if self.stopped is None:
            self.stopped = StopReason.WORKER if self._delivery.stopping() else self._beat_if_due()
        return self.stopped or ""

    @contextmanager
    def alongside(self) -> Iterator[None]:
        """Ticks in a thread, for as long as the block takes. Never while a process is started: it would be forked."""
        over = threading.Event()
        thread = threading.Thread(target=self._tick_until, args=(over,), name="heartbeat", daemon=True)
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
        if now - self._last < timedelta(seconds=HEARTBEAT_S):
            return None
        lease_until = now + timedelta(seconds=self._delivery.lease_s)
        try:
            self._delivery.extend()
            if not self._worker.table.beat(
                shard.scan_id, shard.number, shard.attempt, lease_until=lease_until, progress=self._progress()
            ):
                return StopReason.LOST
            brief = self._worker.table.scan_brief(shard.scan_id)
        except GatewayUnavailable as exc:
            logger.warning("heartbeat failed", extra={"scan_id": shard.scan_id, "shard": shard.number, "why": str(exc)})
            too_late = now + timedelta(seconds=HEARTBEAT_S) >= self._lease_until
            return StopReason.HEARTBEAT if too_late else None
        self._last, self._lease_until = now, lease_until
        return run_permission(brief, now).blocked_by if brief else StopReason.OVER

    def _progress(self) -> Progress | None:
        return self._tail.look() if self._tail else None
