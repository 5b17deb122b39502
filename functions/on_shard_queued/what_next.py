"""nmap ended → what becomes of its shard: reported as it is, cut in two, given back, or nothing, since it was lost."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import Enum, auto

from cascan.limits import MAX_GENERATIONS
from cascan.model.shard import Lane, Shard, ShardState
from cascan.scans.transitions import HOLD_REASONS, StopReason
from on_shard_queued.nmap_process import NmapResult

NO_FAILURE = (
    frozenset({StopReason.WORKER, StopReason.TIME_LIMIT, StopReason.SIZE}) | HOLD_REASONS
)  # no fault of the shard: not counted


class ShardAction(Enum):
    REPORT = auto()  # what nmap wrote is the answer
    CUT = auto()  # it is the answer for some hosts; the rest becomes another shard
    RETURN = auto()  # nothing was finished: the shard is run again
    DROP = auto()  # the shard is somebody else's


@dataclass(frozen=True, slots=True)
class NextStep:
    do: ShardAction
    to: ShardState = ShardState.QUEUED  # the rest, or the shard
    lane: Lane = Lane.CONNECT  # of the rest
    failed: bool = False
    error: str = ""


def is_conclusive(ended: NmapResult, *, whole: bool) -> bool:
    """nmap had its say: it ended by itself with its report `whole`, or refused to go on, or there was nothing to ask.

    It exits 0 on a full disk, and leaves a report without an end. An exit code above 0 is its own refusal (a bad value,
    a script that does not load, raw sockets it may not open): asking again would not change it.
    """
    by_itself = not ended.stopped and not ended.error
    return by_itself and (ended.exit_code is None or ended.exit_code > 0 or (ended.exit_code == 0 and whole))


def choose_next_step(shard: Shard, ended: NmapResult, *, finished: int, left: int, disk_full: bool = False) -> NextStep:
    """Of a run that was broken off; `finished` and `left`: addresses that it accounts for, and those it does not."""
    if ended.stopped in (StopReason.LOST, StopReason.OVER):
        return NextStep(ShardAction.DROP)
    if ended.stopped == StopReason.SCAN_DEADLINE or not left:
        return NextStep(ShardAction.REPORT)
    failed = ended.stopped not in NO_FAILURE
    to = ShardState.WAITING if ended.stopped in HOLD_REASONS else ShardState.QUEUED
    error = _error(ended, disk_full=disk_full) if failed else ""
    if ended.stopped == StopReason.TIME_LIMIT and shard.lane is Lane.EXPRESS:
        # A Fargate worker may take longer, so this applies even if nothing was finished.
        return NextStep(ShardAction.CUT, to, Lane.CONNECT)
    if finished and shard.generation < MAX_GENERATIONS:
        return NextStep(ShardAction.CUT, to, shard.lane, failed, error)
    if ended.stopped in (StopReason.TIME_LIMIT, StopReason.SIZE):
        return NextStep(ShardAction.REPORT)  # it would only happen again
    if finished:  # a cut more than it may have
        return NextStep(ShardAction.RETURN, to, shard.lane, True, error or f"it was cut {shard.generation} times")
    return NextStep(ShardAction.RETURN, to, shard.lane, failed, error)


def _error(ended: NmapResult, *, disk_full: bool) -> str:
    if ended.error:
        return ended.error
    if ended.stopped:
        return "the worker lost touch with its queue or table"
    if ended.exit_code is not None and ended.exit_code < 0:
        return f"nmap was ended by {_signal(-ended.exit_code)}"
    return "the worker's disk is full" if disk_full else "nmap left a report without an end"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
