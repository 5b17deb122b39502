"""Decide what becomes of a shard whose nmap was stopped or failed.

It is reported, cut in two, returned to the queue, or dropped.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import Enum, auto

from cascan.limits import MAX_GENERATIONS
from cascan.model.shard import Lane, Shard
from cascan.scans.transitions import HOLD_REASONS, StopReason
from on_shard_queued.nmap_process import NmapResult

SHARD_LOST = frozenset({StopReason.LOST, StopReason.OVER})
SHARD_LIMITS = frozenset({StopReason.TIME_LIMIT, StopReason.SIZE})
# The shard did not cause these
NO_FAILURE = frozenset({StopReason.WORKER}) | SHARD_LIMITS | HOLD_REASONS


class ShardAction(Enum):
    """What the worker does with the shard."""

    REPORT = auto()  # store the report as the shard's result
    CUT = auto()  # store the report for the finished hosts; the others become a new shard
    RETURN = auto()  # no host was finished: the shard is run again
    DROP = auto()  # do nothing: another worker has the shard, or its scan is over


@dataclass(frozen=True, slots=True)
class NextStep:
    """The action, and for CUT and RETURN what the remainder or the shard is given."""

    action: ShardAction
    lane: Lane = Lane.CONNECT
    failed: bool = False  # whether it counts against the shard's backoff limit
    error: str = ""


def is_conclusive(result: NmapResult, *, whole: bool) -> bool:
    """Whether another run would give the same result.

    It would if nmap finished, refused the arguments, or had no target.
    `whole`: the report has its closing tag. nmap exits with 0 on a full disk and leaves a truncated
    report. An exit code above 0 is nmap's own refusal: an invalid value, a script that does not
    load, or raw sockets without the privilege.
    """
    if result.stopped or result.error:
        return False
    if result.exit_code is None or result.exit_code > 0:
        return True
    return result.exit_code == 0 and whole


def choose_next_step(
    shard: Shard, result: NmapResult, *, finished: int, unfinished: int, disk_full: bool = False
) -> NextStep:
    """The next step after a run that was not conclusive.

    `finished` and `unfinished` count the shard's addresses that the report covers, and those that
    it does not.
    """
    if result.stopped in SHARD_LOST:
        return NextStep(ShardAction.DROP)
    if result.stopped is StopReason.SCAN_DEADLINE or not unfinished:
        return NextStep(ShardAction.REPORT)
    if result.stopped is StopReason.TIME_LIMIT and shard.lane is Lane.EXPRESS:
        # A Fargate worker may take longer, so this applies even if no host was finished.
        return NextStep(ShardAction.CUT, Lane.CONNECT)
    may_cut = finished > 0 and shard.generation < MAX_GENERATIONS
    if result.stopped in SHARD_LIMITS and not may_cut:
        return NextStep(ShardAction.REPORT)  # the next attempt would reach the same limit
    failed = result.stopped not in NO_FAILURE
    error = _describe_failure(result, disk_full=disk_full) if failed else ""
    if may_cut:
        return NextStep(ShardAction.CUT, shard.lane, failed, error)
    if finished:  # it must not be cut again: without counting a failure it might be run for ever
        return NextStep(
            ShardAction.RETURN,
            shard.lane,
            True,
            error or f"it was cut {shard.generation} times",
        )
    return NextStep(ShardAction.RETURN, shard.lane, failed, error)


def _describe_failure(result: NmapResult, *, disk_full: bool) -> str:
    if result.error:
        return result.error
    if result.stopped:
        return "the worker lost touch with its queue or table"
    if result.exit_code is not None and result.exit_code < 0:
        return f"nmap was ended by {_signal_name(-result.exit_code)}"
    return "the worker's disk is full" if disk_full else "nmap left a report without an end"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
