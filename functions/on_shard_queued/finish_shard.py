"""The run is over → its shard is reported, cut in two, or given back. Every order of writes survives a crash between.

What the run did is written before its report is stored, so that whoever reads the report finds the rest beside the
shard; a message leaves before the one that it replaces is deleted. docs/life-of-a-shard.md goes through the crashes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from msgspec.structs import replace

from cascan.errors import UnreadableReport
from cascan.events import ShardQueued
from cascan.ids import ReportKey
from cascan.limits import MAX_GENERATIONS, MAX_LOOKUP_FAILURES, MAX_RETRY_DELAY_S
from cascan.model.host import Host
from cascan.model.reason import Reason, Reasons
from cascan.model.shard import NmapRun, Shard, ShardCut, ShardReturn, ShardState, split_shard
from cascan.nmap.options.host_timeout import lengthen_host_timeout
from cascan.nmap.targets.cutting import CutSlices, cut_slices
from cascan.nmap.targets.slices import enumerate_slice
from cascan.recovery.scan_records import ReportedShard, store_run
from on_shard_queued.delivery import Worker
from on_shard_queued.nmap_process import NmapResult
from on_shard_queued.pin_targets import PinnedTargets
from on_shard_queued.what_next import ShardAction, choose_next_step, is_conclusive

TIMED_OUT = attrgetter("timed_out")  # of a host
LOST = "lost"  # somebody else has the shard, or nobody may have it any more
AGAIN_AFTER_S = 5  # a shard that failed once; four times as long with every failure more
END = b"</nmaprun>"
TAIL_BYTES = 64
FULL_BYTES = 64 * 1024  # less room than that is none


@dataclass(frozen=True, slots=True)
class ShardFinisher:
    """What there is to finish with."""

    shard: Shard
    message: ShardQueued
    pinned: PinnedTargets
    run: NmapRun
    report: Path
    worker: Worker

    def reported(self, run: NmapRun) -> str:
        shard = self.shard
        if not self.worker.table.report_shard(shard.scan_id, shard.number, shard.attempt, run):
            return LOST
        self._store(ReportedShard(replace(shard, state=ShardState.REPORTED, run=run, progress=None)))
        return "reported"

    def after(self, ended: NmapResult) -> str:
        """What was done, in a word."""
        names = self._names_to_try_again()
        if is_conclusive(ended, whole=_is_whole(self.report)):
            if names and not self.pinned.addresses:
                return self._returned(names)
            return self._asked_again(names) or self.reported(self.run)
        left = dict.fromkeys(self.pinned.addresses)
        for address in _finished(self.report):
            left.pop(address, None)
        cutting = cut_slices(self.shard, self.pinned.resolved, left, names)
        asked_again = set(self._addresses(cutting))
        finished = sum(address not in asked_again for address in self.pinned.addresses)
        open_ends = len(left) + len(names)
        step = choose_next_step(
            self.shard, ended, finished=finished, left=open_ends, disk_full=_is_full(self.report.parent)
        )
        match step.do:
            case ShardAction.DROP:
                return LOST
            case ShardAction.REPORT:
                return self.reported(self.run if open_ends else replace(self.run, cut=True))
            case ShardAction.RETURN:
                back = ShardReturn(to=step.to, failed=step.failed, error_description=step.error, stderr=ended.stderr)
                return give_back(self.shard, self.message, back, self.worker)
        run = replace(self._run_without(names), cut=True, addresses=finished)
        done, rest = cutting
        return self._cut(
            ShardCut(
                run=run, done=done, remaining=rest, lane=step.lane, to=step.to, failed=step.failed,
                error_description=step.error,
            )
        )  # fmt: skip

    def _asked_again(self, names: Mapping[str, Reason]) -> str:
        """Names to look up again, and hosts that ran into their time limit, become a shard; with a longer limit, if so.

        Empty: there are none, or it may not be. Only of a run that came to its end: of one that was broken off, the
        rest is enough to do.
        """
        shard = self.shard
        if self.run.exit_code != 0 or shard.generation >= MAX_GENERATIONS:
            return ""
        longer = lengthen_host_timeout(shard.arguments) if shard.retry_timed_out else ()
        timed_out = _finished(self.report, TIMED_OUT) if longer else ()
        late = {address for address in timed_out if address in self.pinned.addresses}
        if not late and not names:
            return ""
        done, rest = cut_slices(shard, self.pinned.resolved, late, names)
        return self._cut(
            ShardCut(
                run=replace(self._run_without(names), asked_again=len(late)),
                done=done,
                remaining=rest,
                lane=shard.lane,
                to=ShardState.QUEUED,
                failed=bool(names),
                error_description=_first_sentence(names),
                longer=longer if late else (),
            )
        )

    def _names_to_try_again(self) -> Mapping[str, Reason]:
        """The names that DNS failed for; none, once that has cost the shard as many attempts as it may."""
        may_fail = min(self.shard.backoff_limit, MAX_LOOKUP_FAILURES)
        return self.pinned.unanswered if self.shard.failures < may_fail else {}

    def _run_without(self, names: Mapping[str, Reason]) -> NmapRun:
        """The run as it is once another shard has these names."""
        if not names:
            return self.run
        pinned = self.pinned
        return replace(self.run, unresolved=tuple(pinned.unresolved), reasons=tuple(pinned.reasons))

    def _returned(self, names: Mapping[str, Reason]) -> str:
        """DNS failed for every name, and there is nothing else to scan."""
        back = ShardReturn(to=ShardState.QUEUED, failed=True, error_description=_first_sentence(names))
        return give_back(self.shard, self.message, back, self.worker)

    def _cut(self, cut: ShardCut) -> str:
        shard, worker = self.shard, self.worker
        rest = worker.table.cut_shard(shard.scan_id, shard.number, shard.attempt, cut)
        if rest is None:
            return LOST
        if rest.state is ShardState.QUEUED:  # first: the report closes this shard, and nobody would look back at it
            pause_s = pause_after(rest.failures) if cut.failed else 0
            worker.queues.send(rest.lane, [build_remainder_message(rest, self.message)], delay_s=pause_s)
        done, _ = split_shard(shard, cut, rest.number)
        self._store(ReportedShard(replace(done, progress=None), rest))
        return f"cut: shard {rest.number} has the rest"

    def _store(self, reported: ReportedShard) -> None:
        """The record first: of a report in the bucket it can always be told which run it is of."""
        shard = self.shard
        store_run(self.worker.reports, reported)
        key = ReportKey(shard.scan_id, shard.number, shard.attempt)
        self.worker.reports.put_report(key, self.report, {"scan": shard.scan_id, "shard": str(shard.number)})

    def _addresses(self, cutting: CutSlices) -> Iterator[str]:
        for piece in cutting.rest:
            yield from enumerate_slice(piece, self.shard.family, self.pinned.resolved)


def give_back(shard: Shard, message: ShardQueued, back: ShardReturn, worker: Worker) -> str:
    """The shard loses its holder. It gets a fresh message, after a while if it failed; out of attempts, it is given up.

    A fresh one, since the old one may stay hidden for as long as its function might have run.
    """
    returned = worker.table.return_shard(shard.scan_id, shard.number, shard.attempt, back)
    if returned is None:
        return LOST
    if returned.state is ShardState.WAITING:
        return "waits"
    if returned.failures > returned.backoff_limit:
        worker.queues.give_up(shard.lane, message)
        return "given up"
    pause_s = pause_after(returned.failures) if back.failed else 0
    worker.queues.send(shard.lane, [message], delay_s=pause_s)
    return "returned"


def pause_after(failures: int) -> int:
    """Seconds until a shard that has failed so often is tried again."""
    pause_s: int = AGAIN_AFTER_S * 4 ** max(0, failures - 1)
    return min(pause_s, MAX_RETRY_DELAY_S)


def _first_sentence(names: Mapping[str, Reason]) -> str:
    return Reasons.of(names.values()).sentence


def build_remainder_message(shard: Shard, cause: ShardQueued) -> ShardQueued:
    return ShardQueued(scan_id=shard.scan_id, cause_id=cause.cause_id, hop=cause.hop, shard=shard.number)


def _is_whole(report: Path) -> bool:
    with report.open("rb") as stream:
        stream.seek(max(0, report.stat().st_size - TAIL_BYTES))
        return stream.read().rstrip().endswith(END)


def _finished(report: Path, which: Callable[[Host], bool] = lambda _: True) -> Iterator[str]:
    """The addresses of every such host that stands in the report to its end."""
    from cascan.nmap.report.read import read_report  # noqa: PLC0415 - a run that nobody broke off needs no reader

    with report.open("rb") as stream:
        try:
            for host in filter(which, read_report(stream)):
                yield from (address.addr for address in host.addresses)
        except UnreadableReport:  # empty, most often: nmap was stopped before it wrote
            return


def _is_full(folder: Path) -> bool:
    return shutil.disk_usage(folder).free < FULL_BYTES
