"""A shard → nmap → its report in the bucket."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cascan.errors import ShardLost
from cascan.events import ShardQueued
from cascan.model.reason import Reasons
from cascan.model.shard import NmapRun, Shard, ShardReturn, ShardState
from cascan.nmap.command import build_nmap_command
from cascan.scans.transitions import RunPermission, StopReason
from on_shard_queued.claim_shard import claim_shard
from on_shard_queued.delivery import Delivery, Worker
from on_shard_queued.finish_shard import LOST, ShardFinisher, give_back
from on_shard_queued.heartbeat import Heartbeat
from on_shard_queued.nmap_process import NmapResult
from on_shard_queued.pin_targets import PinnedTargets, pin_targets
from on_shard_queued.progress import ReportTail

NOT_EXECUTABLE = 126  # a shell's word for it


@dataclass(frozen=True, slots=True)
class ShardRun:
    """What came of a shard message, for the log. Its message is done with."""

    scan_id: str
    shard: int
    did: str  # "reported", or what else was done, or why nothing was
    attempt: int = 0
    addresses: int = 0
    exit_code: int | None = None
    stopped: str = ""
    report_bytes: int = 0
    error: str = ""


def run_shard(message: ShardQueued, delivery: Delivery, *, worker: Worker) -> ShardRun:
    """Claim the shard, run nmap, write down what the run did, store the report. The report's arrival does the rest.

    A name that DNS fails for is left to another shard, or to another attempt at this one, MAX_LOOKUP_FAILURES times.
    A shard without anything to scan (unresolved, excluded, outside the scope, past the scan's deadline) stores an empty
    report, so that it is closed on the same path.
    Raises: GatewayUnavailable, ShardBusy: the message is to come again. ShardLost: it is not this worker's any more.
    MalformedMessage: there is no such shard.
    """
    taken = claim_shard(message, delivery, worker)
    if isinstance(taken, str):
        return ShardRun(message.scan_id, message.shard, taken)
    shard, standing = taken
    if shard.failures > shard.backoff_limit:
        did = _kept(give_back(shard, message, ShardReturn(to=ShardState.QUEUED, failed=False), worker), shard)
        return ShardRun(message.scan_id, message.shard, did, shard.attempt, error=shard.error_description)
    return _Turn(shard, standing, message, delivery, worker).take()


def _kept(did: str, shard: Shard) -> str:
    """What was done. Raises: ShardLost: nothing, since the shard was lost.

    Whoever took it over may have done so by the same message: deleting it here would take it from them.
    """
    if did == LOST:
        raise ShardLost(f"shard {shard.number} of scan {shard.scan_id} was lost during attempt {shard.attempt}")
    return did


@dataclass(frozen=True, slots=True)
class _Turn:
    """One attempt at a shard."""

    shard: Shard
    standing: RunPermission
    message: ShardQueued
    delivery: Delivery
    worker: Worker

    def take(self) -> ShardRun:
        started_at, heartbeat = self.worker.clock(), Heartbeat(self.shard, self.delivery, self.worker)
        with heartbeat.alongside():
            pinned = pin_targets(
                self.shard, scope=self.worker.scope, resolver=self.worker.resolver, give_up=self.delivery.stopping
            )
        with tempfile.TemporaryDirectory(prefix="shard-") as name:
            folder = Path(name)
            report = folder / "report.xml"
            report.touch(mode=0o600)
            argv = build_nmap_command(self.worker.nmap, self.shard, folder, pinned.name)
            ended = self._scan(argv, pinned, folder, heartbeat)
            run = NmapRun(
                attempt=self.shard.attempt,
                argv=argv if ended.exit_code is not None else (),
                exit_code=ended.exit_code,
                stopped=ended.stopped,
                stderr=ended.stderr,
                addresses=len(pinned.addresses),
                resolved=pinned.resolved,
                unresolved=(*pinned.unresolved, *pinned.unanswered),
                refused=tuple(pinned.refused),
                asked_as=pinned.asked_as,
                reasons=(*pinned.reasons, *pinned.unanswered.values()),
                started_at=started_at,
                finished_at=self.worker.clock(),
            )
            with heartbeat.alongside():
                did = _kept(
                    ShardFinisher(self.shard, self.message, pinned, run, report, self.worker).after(ended), self.shard
                )
            error = ended.error or Reasons.of(pinned.unanswered.values()).sentence
            return self._said(did, run, report.stat().st_size, error)

    def _scan(self, argv: Sequence[str], pinned: PinnedTargets, folder: Path, heartbeat: Heartbeat) -> NmapResult:
        """Run nmap, for as long as the shard's own limit and the scan's standing allow."""
        limit_s, ends = self._limit()
        if not pinned.addresses and not pinned.unanswered:
            return NmapResult(None)
        if stopped := (heartbeat() if limit_s > 0 else ends):
            return NmapResult(None, stopped)
        if not pinned.addresses:
            return NmapResult(None)
        heartbeat.watch(ReportTail(folder / "report.xml"))
        try:
            (folder / "targets").write_text("\n".join(pinned.addresses) + "\n", encoding="ascii")
            ended = self.worker.run(argv, folder, folder / "report.xml", limit_s, heartbeat)
        except PermissionError as exc:  # file capabilities beyond what the container may have, for one
            return NmapResult(NOT_EXECUTABLE, stderr=f"{exc.filename}: {exc.strerror}")
        except OSError as exc:
            return NmapResult(None, error=f"nmap was not started: {exc}")
        return replace(ended, stopped=ends) if ended.stopped == StopReason.TIME_LIMIT else ended

    def _limit(self) -> tuple[float, StopReason]:
        """How long nmap may run, and what then stops it."""
        own_s = self.delivery.time_limit_s
        if self.standing.until is None:
            return own_s, StopReason.TIME_LIMIT
        left_s = (self.standing.until - self.worker.clock()).total_seconds()
        return (own_s, StopReason.TIME_LIMIT) if own_s <= left_s else (left_s, self.standing.ends)

    def _said(self, did: str, run: NmapRun, report_bytes: int, error: str) -> ShardRun:
        shard = self.shard
        return ShardRun(
            shard.scan_id,
            shard.number,
            did,
            attempt=shard.attempt,
            addresses=run.addresses,
            exit_code=run.exit_code,
            stopped=run.stopped,
            report_bytes=report_bytes,
            error=error,
        )
