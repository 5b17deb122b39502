"""After nmap: report the shard, propose to cut it in two, or return it.

The run, and what is to be cut off, is written to the shard before its report is stored: the reader
of the report finds both. docs/life-of-a-shard.md goes through the crashes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from msgspec.structs import replace

from cascan.errors import ShardLost, UnreadableReport
from cascan.events import ShardQueued
from cascan.ids import PROOF, ReportKey, derive_report_proof
from cascan.limits import MAX_GENERATIONS, MAX_LOOKUP_FAILURES
from cascan.model.host import Host
from cascan.model.reason import Reason, Reasons
from cascan.model.shard import NmapRun, ProposedCut, Shard, ShardState
from cascan.nmap.options.host_timeout import lengthen_host_timeout
from cascan.nmap.targets.cut_slices import CutSlices, cut_slices
from cascan.nmap.targets.slices import enumerate_slice
from on_shard_queued.choose_next_step import NextStep, ShardAction, choose_next_step, is_conclusive
from on_shard_queued.claim_shard import build_return
from on_shard_queued.delivery import Worker
from on_shard_queued.nmap_process import NmapResult
from on_shard_queued.pin_targets import PinnedTargets

TIMED_OUT = attrgetter("timed_out")  # of a host
CUT = "cut"
CLOSING_TAG = b"</nmaprun>"
TAIL_BYTES = 64
DISK_FULL_BYTES = 64 * 1024  # a disk with less free space counts as full


@dataclass(frozen=True, slots=True)
class ShardFinisher:
    """One attempt's shard, the message that asked for it, and what the attempt produced."""

    shard: Shard
    message: ShardQueued
    pinned: PinnedTargets
    run: NmapRun
    report: Path
    worker: Worker

    def finish(self, result: NmapResult) -> str:
        """What was done, for the log.

        Raises: ShardLost: another worker has the shard, or its scan is over.
        """
        retry_names = self._names_to_retry()
        if is_conclusive(result, whole=_has_closing_tag(self.report)):
            return self._finish_conclusive(retry_names)
        return self._finish_interrupted(result, retry_names)

    def _finish_conclusive(self, retry_names: Mapping[str, Reason]) -> str:
        if retry_names and not self.pinned.addresses:
            error = _first_sentence(retry_names)
            failure = ShardFailure(error)
            return return_shard(self.shard, self.message, self.worker, failure)
        second_look = self._plan_second_look(retry_names)
        return self._store(*second_look) if second_look else self._store(self.run)

    def _finish_interrupted(self, result: NmapResult, retry_names: Mapping[str, Reason]) -> str:
        unfinished = dict.fromkeys(self.pinned.addresses)
        for address in _reported_addresses(self.report):
            unfinished.pop(address, None)
        cutting = cut_slices(self.shard, self.pinned.resolved, unfinished, retry_names)
        cut_off = set(self._enumerate_remainder(cutting))
        finished = sum(address not in cut_off for address in self.pinned.addresses)
        open_ends = len(unfinished) + len(retry_names)
        step = choose_next_step(
            self.shard,
            result,
            finished=finished,
            unfinished=open_ends,
            disk_full=_is_disk_full(self.report.parent),
        )
        match step.action:
            case ShardAction.DROP:
                raise shard_lost(self.shard)
            case ShardAction.REPORT:
                return self._store(self.run if open_ends else replace(self.run, cut=True))
            case ShardAction.RETURN:
                failure = ShardFailure(step.error, result.stderr) if step.failed else None
                return return_shard(self.shard, self.message, self.worker, failure)
            case ShardAction.CUT:
                return self._store(*self._plan_remainder(step, cutting, finished, retry_names))

    def _plan_remainder(
        self, step: NextStep, cutting: CutSlices, finished: int, retry_names: Mapping[str, Reason]
    ) -> tuple[NmapRun, ProposedCut]:
        """The run of the finished part, and the unfinished part as a shard of its own."""
        run = replace(self._run_without(retry_names), cut=True, addresses=finished)
        cut = ProposedCut(
            remaining=cutting.remainder,
            lane=step.lane,
            failed=step.failed,
            error_description=step.error,
        )
        return run, cut

    def _plan_second_look(self, retry_names: Mapping[str, Reason]) -> tuple[NmapRun, ProposedCut] | None:
        """Plan a shard with a longer time limit for names and hosts without a result.

        These are the names that DNS failed for and the hosts that timed out in a complete run.
        None: there are none, or the shard may not be cut again.
        """
        shard = self.shard
        if self.run.exit_code != 0 or shard.generation >= MAX_GENERATIONS:
            return None
        longer = lengthen_host_timeout(shard.arguments) if shard.retry_timed_out else ()
        timed_out = _reported_addresses(self.report, TIMED_OUT) if longer else ()
        timed_out_targets = {address for address in timed_out if address in self.pinned.addresses}
        if not timed_out_targets and not retry_names:
            return None
        _, rest = cut_slices(shard, self.pinned.resolved, timed_out_targets, retry_names)
        run = replace(self._run_without(retry_names), asked_again=len(timed_out_targets))
        cut = ProposedCut(
            remaining=rest,
            lane=shard.lane,
            failed=bool(retry_names),
            error_description=_first_sentence(retry_names),
            timed_out=bool(timed_out_targets),
        )
        return run, cut

    def _names_to_retry(self) -> Mapping[str, Reason]:
        """The names that DNS failed for; empty after as many failures as the shard allows."""
        max_failures = min(self.shard.backoff_limit, MAX_LOOKUP_FAILURES)
        return self.pinned.unanswered if self.shard.failures < max_failures else {}

    def _run_without(self, retry_names: Mapping[str, Reason]) -> NmapRun:
        """The run without the names that the remainder looks up again."""
        if not retry_names:
            return self.run
        pinned = self.pinned
        return replace(self.run, unresolved=tuple(pinned.unresolved), reasons=tuple(pinned.reasons))

    def _store(self, run: NmapRun, cut: ProposedCut | None = None) -> str:
        """Store the run, and then its report; what was done, for the log.

        on_report_stored cuts the shard, if that is proposed.
        """
        shard, worker, token = self.shard, self.worker, self.message.token
        is_reported = worker.table.report_shard(
            shard.scan_id,
            shard.number,
            shard.attempt,
            run,
            cut,
            token=token,
        )
        if not is_reported:
            raise shard_lost(shard)
        key = ReportKey(shard.scan_id, shard.number, shard.attempt)
        proof = {PROOF: derive_report_proof(token, shard.attempt)}
        metadata = {"scan": shard.scan_id, "shard": str(shard.number), **proof}
        worker.reports.put_report(key, self.report, metadata)
        return f"{CUT}: another shard gets the rest" if cut else "reported"

    def _enumerate_remainder(self, cutting: CutSlices) -> Iterator[str]:
        for target_slice in cutting.remainder:
            yield from enumerate_slice(target_slice, self.shard.family, self.pinned.resolved)


@dataclass(frozen=True, slots=True)
class ShardFailure:
    """Why an attempt failed, and what nmap wrote to standard error."""

    error: str = ""
    stderr: str = ""


def return_shard(
    shard: Shard,
    message: ShardQueued,
    worker: Worker,
    failure: ShardFailure | None = None,
) -> str:
    """End this attempt without a result; what was done, for the log.

    on_shard_abandoned queues the shard again, has it wait, or gives it up if it has used up its
    backoff limit. Raises: ShardLost: another worker has the shard, or its scan is over.
    """
    stored = worker.table.get_shard(shard.scan_id, shard.number, token=message.token)
    is_held = stored and stored.state is ShardState.RUNNING and stored.attempt == shard.attempt
    if not is_held:
        raise shard_lost(shard)
    returned = build_return(message, worker, shard.attempt)
    if failure:
        error, stderr = failure.error, failure.stderr
        returned = replace(returned, failed=True, error_description=error, stderr=stderr)
    worker.returns.send(returned)
    return "returned"


def shard_lost(shard: Shard) -> ShardLost:
    """The error that keeps the message: the worker that took the shard over may need it."""
    name = f"shard {shard.number} of scan {shard.scan_id}"
    return ShardLost(f"{name} was lost during attempt {shard.attempt}")


def _first_sentence(names: Mapping[str, Reason]) -> str:
    return Reasons.of(names.values()).sentence


def _has_closing_tag(report: Path) -> bool:
    with report.open("rb") as stream:
        stream.seek(max(0, report.stat().st_size - TAIL_BYTES))
        return stream.read().rstrip().endswith(CLOSING_TAG)


def _include_all(_: Host) -> bool:
    return True


def _reported_addresses(
    report: Path,
    is_included: Callable[[Host], bool] = _include_all,
) -> Iterator[str]:
    """The addresses of the included hosts that the report describes completely."""
    from cascan.nmap.report.read import read_report  # noqa: PLC0415 - most runs need no reader

    with report.open("rb") as stream:
        try:
            for host in filter(is_included, read_report(stream)):
                yield from (address.addr for address in host.addresses)
        except UnreadableReport:  # most often empty: nmap was stopped before it wrote anything
            return


def _is_disk_full(folder: Path) -> bool:
    return shutil.disk_usage(folder).free < DISK_FULL_BYTES
