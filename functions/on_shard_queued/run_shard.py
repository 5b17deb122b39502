"""Run one shard: claim it, run nmap on its targets, and store the report."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from cascan.events import ShardQueued
from cascan.log_context import add_log_context
from cascan.model.reason import Reasons
from cascan.model.shard import NmapRun, Shard
from cascan.nmap.command import build_nmap_command
from cascan.nmap.ports.scanned_ports import count_ports
from cascan.scans.transitions import RunPermission, StopReason
from on_shard_queued.claim_shard import NothingToRun, claim_shard
from on_shard_queued.delivery import Delivery, Worker
from on_shard_queued.finish_shard import CUT, ShardFinisher, return_shard
from on_shard_queued.heartbeat import Heartbeat
from on_shard_queued.nmap_process import NmapResult
from on_shard_queued.pin_targets import PinnedTargets, pin_targets
from on_shard_queued.progress import ReportTail

NOT_EXECUTABLE = 126  # the exit code of a shell in this case


@dataclass(frozen=True, slots=True)
class ShardRun:
    """What was done for a shard's message, for the log. The message can be deleted."""

    scan_id: str
    shard: int
    did: str  # "reported", or what else was done, or why there was nothing to run
    attempt: int = 0
    addresses: int = 0
    exit_code: int | None = None
    stopped: str = ""
    report_bytes: int = 0
    error: str = ""
    nmap_s: float = 0.0
    probes: int = 0  # at most: addresses times ports

    @property
    def figures(self) -> dict[str, float]:
        """For metrics."""
        return {
            "ShardsRun": int(self.attempt > 0),
            "ShardsFailed": int(bool(self.error)),
            "ShardsCut": int(self.did.startswith(CUT)),
            "NmapSeconds": self.nmap_s,
            "AddressesScanned": self.addresses,
            "ProbesSent": self.probes,
            "ReportBytes": self.report_bytes,
        }


def run_shard(message: ShardQueued, delivery: Delivery, *, worker: Worker) -> ShardRun:
    """Claim the shard, run nmap, write what the run did, store the report.

    The report's arrival wakes the parser.

    Names that DNS failed for go to another shard or another attempt, MAX_LOOKUP_FAILURES times at
    most. A shard with nothing to scan (unresolved, excluded, outside the scope, past the scan's
    deadline) stores an empty report, so that it is closed in the same way. Raises:
    GatewayUnavailable, ShardBusy: the message must be delivered again. ShardLost: another worker
    has the shard. MalformedMessage: there is no such shard.
    """
    add_log_context(scan_id=message.scan_id, shard=message.shard, trace_id=message.trace_id)
    claim = claim_shard(message, delivery, worker)
    if isinstance(claim, NothingToRun):
        return ShardRun(message.scan_id, message.shard, claim.reason)
    shard = claim.shard
    add_log_context(attempt=shard.attempt)
    if shard.failures > shard.backoff_limit:
        did = return_shard(shard, message, worker)
        return ShardRun(
            message.scan_id,
            message.shard,
            did,
            shard.attempt,
            error=shard.error_description,
        )
    return _Attempt(shard, claim.permission, message, delivery, worker).run()


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One attempt at a claimed shard."""

    shard: Shard
    permission: RunPermission
    message: ShardQueued
    delivery: Delivery
    worker: Worker

    def run(self) -> ShardRun:
        started_at = self.worker.clock()
        heartbeat = Heartbeat(self.shard, self.message.token, self.delivery, self.worker)
        with heartbeat.alongside():
            pinned = pin_targets(
                self.shard,
                scope=self.worker.scope,
                resolver=self.worker.resolver,
                give_up=self.delivery.stopping,
            )
        with tempfile.TemporaryDirectory(prefix="shard-") as name:
            folder = Path(name)
            report = folder / "report.xml"
            report.touch(mode=0o600)
            argv = build_nmap_command(self.worker.nmap, self.shard, folder, pinned.name)
            begun_s = time.monotonic()
            result = self._scan(argv, pinned, folder, heartbeat)
            nmap_s = 0.0 if result.exit_code is None else time.monotonic() - begun_s
            run = self._describe_run(argv, pinned, result, started_at)
            finisher = ShardFinisher(self.shard, self.message, pinned, run, report, self.worker)
            with heartbeat.alongside():
                did = finisher.finish(result)
            return ShardRun(
                self.shard.scan_id,
                self.shard.number,
                did,
                attempt=run.attempt,
                addresses=run.addresses,
                exit_code=run.exit_code,
                stopped=run.stopped,
                report_bytes=report.stat().st_size,
                error=result.error or Reasons.of(pinned.unanswered.values()).sentence,
                nmap_s=round(nmap_s, 3),
                probes=run.addresses * count_ports(self.shard.arguments) if nmap_s else 0,
            )

    def _scan(
        self,
        argv: Sequence[str],
        pinned: PinnedTargets,
        folder: Path,
        heartbeat: Heartbeat,
    ) -> NmapResult:
        """Run nmap as long as the shard's time limit, the scan's deadline and windows allow."""
        limit_s, limit_reason = self._find_limit()
        if not pinned.addresses and not pinned.unanswered:
            return NmapResult(None)
        stopped = heartbeat() if limit_s > 0 else limit_reason
        if stopped:
            return NmapResult(None, stopped)
        if not pinned.addresses:
            return NmapResult(None)
        heartbeat.watch(ReportTail(folder / "report.xml", pinned.addresses, self.shard.arguments))
        try:
            (folder / "targets").write_text("\n".join(pinned.addresses) + "\n", encoding="ascii")
            result = self.worker.run(argv, folder, folder / "report.xml", limit_s, heartbeat)
        except PermissionError as exc:
            # For example, nmap has file capabilities that the container may not have
            return NmapResult(NOT_EXECUTABLE, stderr=f"{exc.filename}: {exc.strerror}")
        except OSError as exc:
            return NmapResult(None, error=f"nmap was not started: {exc}")
        if result.stopped is StopReason.TIME_LIMIT:
            return replace(result, stopped=limit_reason)
        return result

    def _find_limit(self) -> tuple[float, StopReason]:
        """How many seconds nmap may run, and the reason that stops it then."""
        time_limit_s = self.delivery.time_limit_s
        if self.permission.until is None:
            return time_limit_s, StopReason.TIME_LIMIT
        permitted_s = (self.permission.until - self.worker.clock()).total_seconds()
        if time_limit_s <= permitted_s:
            return time_limit_s, StopReason.TIME_LIMIT
        return permitted_s, self.permission.limit_reason

    def _describe_run(
        self, argv: tuple[str, ...], pinned: PinnedTargets, result: NmapResult, started_at: datetime
    ) -> NmapRun:
        finished_at = self.worker.clock()
        return NmapRun(
            attempt=self.shard.attempt,
            argv=argv if result.exit_code is not None else (),
            exit_code=result.exit_code,
            stopped=result.stopped.value if result.stopped else "",
            stderr=result.stderr,
            addresses=len(pinned.addresses),
            resolved=pinned.resolved,
            unresolved=(*pinned.unresolved, *pinned.unanswered),
            refused=tuple(pinned.refused),
            asked_as=pinned.asked_as,
            reasons=(*pinned.reasons, *pinned.unanswered.values()),
            started_at=started_at,
            finished_at=finished_at,
            usage=self.shard.attempt_usage(self.worker.capacity, finished_at),
        )
