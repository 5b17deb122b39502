"""After nmap: report the shard, cut it in two, or return it to its queue.

Every order of writes survives a crash.

The run is written to the table before its report is stored, so the reader of the report finds the
run with the shard. A new message is sent before the one that it replaces is deleted.
docs/life-of-a-shard.md goes through the crashes.
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
from cascan.ids import ReportKey
from cascan.limits import MAX_GENERATIONS, MAX_LOOKUP_FAILURES, MAX_RETRY_DELAY_S
from cascan.model.host import Host
from cascan.model.reason import Reason, Reasons
from cascan.model.shard import NmapRun, Shard, ShardCut, ShardReturn, ShardState, split_shard
from cascan.nmap.options.host_timeout import lengthen_host_timeout
from cascan.nmap.targets.cut_slices import CutSlices, cut_slices
from cascan.nmap.targets.slices import enumerate_slice
from cascan.recovery.scan_records import ReportedShard, store_run
from on_shard_queued.choose_next_step import NextStep, ShardAction, choose_next_step, is_conclusive
from on_shard_queued.delivery import Worker
from on_shard_queued.nmap_process import NmapResult
from on_shard_queued.pin_targets import PinnedTargets

TIMED_OUT = attrgetter("timed_out")  # of a host
CUT = "cut"
RETRY_AFTER_S = 5  # after the first failure; four times as long after each further one
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
            to_queue = ShardReturn(to=ShardState.QUEUED, failed=True, error_description=error)
            return return_shard(self.shard, self.message, to_queue, self.worker)
        remainder = self._plan_second_look(retry_names)
        return self._cut_off(remainder) if remainder else self._store_as_result(self.run)

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
                return self._store_as_result(self.run if open_ends else replace(self.run, cut=True))
            case ShardAction.RETURN:
                returned = ShardReturn(
                    to=step.to,
                    failed=step.failed,
                    error_description=step.error,
                    stderr=result.stderr,
                )
                return return_shard(self.shard, self.message, returned, self.worker)
            case ShardAction.CUT:
                return self._cut_off(self._plan_remainder(step, cutting, finished, retry_names))

    def _plan_remainder(
        self, step: NextStep, cutting: CutSlices, finished: int, retry_names: Mapping[str, Reason]
    ) -> ShardCut:
        """The unfinished part of an interrupted run, as a shard of its own."""
        return ShardCut(
            run=replace(self._run_without(retry_names), cut=True, addresses=finished),
            done=cutting.done,
            remaining=cutting.remainder,
            lane=step.lane,
            to=step.to,
            failed=step.failed,
            error_description=step.error,
        )

    def _plan_second_look(self, retry_names: Mapping[str, Reason]) -> ShardCut | None:
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
        done, rest = cut_slices(shard, self.pinned.resolved, timed_out_targets, retry_names)
        return ShardCut(
            run=replace(self._run_without(retry_names), asked_again=len(timed_out_targets)),
            done=done,
            remaining=rest,
            lane=shard.lane,
            to=ShardState.QUEUED,
            failed=bool(retry_names),
            error_description=_first_sentence(retry_names),
            longer=longer if timed_out_targets else (),
        )

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

    def _store_as_result(self, run: NmapRun) -> str:
        shard = self.shard
        is_reported = self.worker.table.report_shard(
            shard.scan_id,
            shard.number,
            shard.attempt,
            run,
            token=self.message.token,
        )
        if not is_reported:
            raise shard_lost(shard)
        reported = replace(shard, state=ShardState.REPORTED, run=run, progress=None)
        self._store_report(ReportedShard(reported))
        return "reported"

    def _cut_off(self, cut: ShardCut) -> str:
        """Cut the shard in two: queue the remainder, and store the report of the finished part."""
        shard, worker = self.shard, self.worker
        remainder = worker.table.cut_shard(shard.scan_id, shard.number, shard.attempt, cut)
        if remainder is None:
            raise shard_lost(shard)
        # First: the report closes this shard, so no retry would send it
        if remainder.state is ShardState.QUEUED:
            delay_s = retry_delay_s(remainder.failures) if cut.failed else 0
            worker.queues.send(
                remainder.lane,
                [build_remainder_message(remainder, self.message)],
                delay_s=delay_s,
            )
        finished_part, _ = split_shard(shard, cut, remainder.number)
        self._store_report(ReportedShard(replace(finished_part, progress=None), remainder))
        return f"{CUT}: shard {remainder.number} has the rest"

    def _store_report(self, reported: ReportedShard) -> None:
        """Store the record first, so that every report in the bucket has the record of its run."""
        shard = self.shard
        store_run(self.worker.reports, reported)
        key = ReportKey(shard.scan_id, shard.number, shard.attempt)
        self.worker.reports.put_report(
            key,
            self.report,
            {"scan": shard.scan_id, "shard": str(shard.number)},
        )

    def _enumerate_remainder(self, cutting: CutSlices) -> Iterator[str]:
        for target_slice in cutting.remainder:
            yield from enumerate_slice(target_slice, self.shard.family, self.pinned.resolved)


def return_shard(shard: Shard, message: ShardQueued, returned: ShardReturn, worker: Worker) -> str:
    """Release this worker's hold on the shard; what was done, for the log.

    The shard gets a new message, delayed if the attempt failed: the old one may stay hidden for as
    long as its function might have run. A shard that has used up its backoff limit is given up
    instead. Raises: ShardLost: another worker has the shard, or its scan is over.
    """
    returned = replace(returned, usage=shard.attempt_usage(worker.capacity, worker.clock()))
    stored = worker.table.return_shard(shard.scan_id, shard.number, shard.attempt, returned)
    if stored is None:
        raise shard_lost(shard)
    if stored.state is ShardState.WAITING:
        return "waits"
    if stored.failures > stored.backoff_limit:
        worker.queues.give_up(shard.lane, message)
        return "given up"
    delay_s = retry_delay_s(stored.failures) if returned.failed else 0
    worker.queues.send(shard.lane, [message], delay_s=delay_s)
    return "returned"


def shard_lost(shard: Shard) -> ShardLost:
    """The error that keeps the message: the worker that took the shard over may need it."""
    name = f"shard {shard.number} of scan {shard.scan_id}"
    return ShardLost(f"{name} was lost during attempt {shard.attempt}")


def retry_delay_s(failures: int) -> int:
    """Seconds until a shard with so many failures is tried again."""
    delay_s: int = RETRY_AFTER_S * 4 ** max(0, failures - 1)
    return min(delay_s, MAX_RETRY_DELAY_S)


def build_remainder_message(remainder: Shard, cause: ShardQueued) -> ShardQueued:
    """The message of a remainder, with the cause and the hop of the shard that it was cut from."""
    return ShardQueued(
        scan_id=remainder.scan_id,
        cause_id=cause.cause_id,
        hop=cause.hop,
        shard=remainder.number,
        trace_id=cause.trace_id,
    )


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
