"""A shard → nmap → its report in the bucket."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cascan.clock import Clock
from cascan.errors import MalformedMessage, NmapKilled, ShardBusy
from cascan.events import ShardQueued
from cascan.gateways import ReportStore, Resolver, ScanTable
from cascan.ids import ReportKey
from cascan.model.shard import OPEN_STATES, NmapRun, Shard
from cascan.nmap.command import nmap_argv
from cascan.scope import Scope
from on_shard_queued.nmap_process import Ended, OnTick, run_nmap
from on_shard_queued.pin_targets import Pinned, pin_targets

REPORTING_S = 60.0  # after nmap's time limit: names were resolved before, the report is stored after
ANSWERED_STOPS = frozenset({"deadline", "size"})  # what nmap had by then is the answer; else the shard is run again


@dataclass(frozen=True, slots=True)
class ShardRun:
    """What came of a shard message, for the log."""

    scan_id: str
    shard: int
    attempt: int
    addresses: int
    exit_code: int | None
    report_bytes: int
    did: str  # "reported", or why nothing was done


@dataclass(frozen=True, slots=True)
class Worker:
    """Everything a worker needs to run shards, wired once."""

    name: str
    nmap: tuple[str, ...]  # the command, with its leading arguments
    table: ScanTable
    reports: ReportStore
    scope: Scope
    resolver: Resolver
    clock: Clock


def run_shard(
    message: ShardQueued, message_id: str, *, worker: Worker, deadline_s: float, on_tick: OnTick = str
) -> ShardRun:
    """Claim the shard, run nmap, write down what the run did, store the report. The report's arrival does the rest.

    A shard without anything to scan (unresolved, excluded, outside the scope) stores an empty report, so that it is
    closed on the same path. Raises: ShardBusy: another attempt holds it. NmapKilled: nmap was ended before its time.
    """
    started_at = worker.clock()
    shard = worker.table.claim_shard(
        message.scan_id,
        message.shard,
        worker=worker.name,
        message_id=message_id,
        lease_until=started_at + timedelta(seconds=deadline_s + REPORTING_S),
        now=started_at,
    )
    if shard is None:
        return _not_mine(message, worker.table)
    pinned = pin_targets(shard, scope=worker.scope, resolver=worker.resolver)
    with tempfile.TemporaryDirectory(prefix="shard-") as name:
        folder = Path(name)
        report = folder / "report.xml"
        report.touch(mode=0o600)
        argv = nmap_argv(worker.nmap, shard, folder, pinned.name)
        ended = _scan(argv, pinned, folder, deadline_s, on_tick) if pinned.addresses else None
        run = NmapRun(
            argv=argv if ended else (),
            exit_code=ended.exit_code if ended else None,
            stopped=ended.stopped if ended else "",
            stderr=ended.stderr if ended else "",
            addresses=len(pinned.addresses),
            resolved=pinned.resolved,
            unresolved=tuple(pinned.unresolved),
            refused=tuple(pinned.refused),
            started_at=started_at,
            finished_at=worker.clock(),
        )
        did = _report(shard, run, report, worker)
        return ShardRun(
            shard.scan_id, shard.number, shard.attempt, run.addresses, run.exit_code, report.stat().st_size, did
        )


def _scan(argv: Sequence[str], pinned: Pinned, folder: Path, deadline_s: float, on_tick: OnTick) -> Ended:
    (folder / "targets").write_text("\n".join(pinned.addresses) + "\n", encoding="ascii")
    ended = run_nmap(argv, folder, folder / "report.xml", deadline_s, on_tick)
    if ended.exit_code < 0 and ended.stopped not in ANSWERED_STOPS:
        raise NmapKilled(f"nmap was ended by {ended.stopped or signal.Signals(-ended.exit_code).name}")
    return ended


def _report(shard: Shard, run: NmapRun, report: Path, worker: Worker) -> str:
    """First what the run did, then its report: whoever reads the report finds the rest beside the shard."""
    if not worker.table.report_shard(shard.scan_id, shard.number, shard.attempt, run):
        return "lost to a later attempt"
    key = ReportKey(shard.scan_id, shard.number, shard.attempt)
    worker.reports.put_report(key, report, {"scan": shard.scan_id, "shard": str(shard.number)})
    return "reported"


def _not_mine(message: ShardQueued, table: ScanTable) -> ShardRun:
    shard = table.get_shard(message.scan_id, message.shard)
    if shard is None:
        raise MalformedMessage(f"scan {message.scan_id} has no shard {message.shard}")
    if shard.state in OPEN_STATES:
        raise ShardBusy(
            f"attempt {shard.attempt} of shard {shard.number} is {shard.state} at {shard.worker or 'nobody'}"
        )
    return ShardRun(message.scan_id, message.shard, shard.attempt, 0, None, 0, f"already {shard.state}")
