"""The life of a shard: every move from one state to another, who makes it, and on which condition.

The table is the truth, a message only a nudge: messages may come twice, late, or be dropped and sent again; the
conditional write of a move alone decides. docs/life-of-a-shard.md draws the picture.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from cascan.model.scan import FINAL_STATES, ScanBrief, ScanState
from cascan.model.shard import OPEN_STATES, ShardState

WAITING, QUEUED, RUNNING, REPORTED = ShardState.WAITING, ShardState.QUEUED, ShardState.RUNNING, ShardState.REPORTED


class Move(msgspec.Struct, frozen=True):
    """One kind of transition. `expected` is part of the condition of its write."""

    name: str  # of the method of ScanTable
    expected: frozenset[ShardState]
    to: frozenset[ShardState]
    who: str
    when: str


RELEASE = Move(
    "release_shard",
    frozenset({WAITING}),
    frozenset({QUEUED}),
    "whoever sent its message, or the worker that got it first",
    "fewer than `parallel` shards of the scan are in flight, and it is Init, Scanning or Parsing",
)
HOLD = Move(
    "hold_shard",
    frozenset({QUEUED}),
    frozenset({WAITING}),
    "the worker that got its message while the scan may not run",
    "always: suspended, halted, or outside its window",
)
CLAIM = Move("claim_shard", frozenset({QUEUED}), frozenset({RUNNING}), "a worker with its message", "always")
TAKE_OVER = Move(
    "claim_shard",
    frozenset({RUNNING, REPORTED}),
    frozenset({RUNNING}),
    "a worker with its message",
    "the lease ran out, or the holder's own message was delivered again; counts a failure",
)
BEAT = Move(
    "beat",
    frozenset({RUNNING, REPORTED}),
    frozenset({RUNNING, REPORTED}),
    "the holder",
    "the attempt is still its own; the state stays",
)
REPORT = Move(
    "report_shard",
    frozenset({RUNNING, REPORTED}),
    frozenset({REPORTED}),
    "the holder, before it stores the report",
    "the attempt is still its own",
)
CUT = Move(
    "cut_shard",
    frozenset({RUNNING}),
    frozenset({REPORTED}),
    "the holder, when nmap was stopped after it had finished some hosts, or some ran into their time limit",
    "the attempt is still its own; a new shard with the rest is stored and counted in the same transaction",
)
RETURN = Move(
    "return_shard",
    frozenset({RUNNING}),
    frozenset({QUEUED, WAITING}),
    "the holder, when nmap was stopped, or failed, before it had finished a host",
    "the attempt is still its own",
)
CLOSE = Move(
    "close_shard",
    OPEN_STATES,
    frozenset({ShardState.RECORDED, ShardState.FAILED, ShardState.CANCELLED}),
    "on_report_stored, on_shard_abandoned, or whoever cancels or ends the scan",
    "always; counted in the scan in the same transaction",
)
MOVES = (RELEASE, HOLD, CLAIM, TAKE_OVER, BEAT, REPORT, CUT, RETURN, CLOSE)


class StopReason(StrEnum):
    """Why nmap was stopped: NmapRun.stopped."""

    TIME_LIMIT = "deadline"  # the shard's own
    SIZE = "size"  # the report filled MAX_REPORT_BYTES
    SCAN_DEADLINE = "scan-deadline"
    WINDOW = "window"  # the hours in which the scan may run are over
    SUSPENDED = "suspended"
    HALTED = "halted"
    OVER = "over"  # the scan ended, or was cancelled
    LOST = "lost"  # the shard was cancelled, or somebody else has it
    HEARTBEAT = "heartbeat"  # nobody could be told that the worker lives
    WORKER = "worker"  # the worker itself must end


# While its scan is blocked for one of these, a shard waits.
HOLD_REASONS = frozenset({StopReason.WINDOW, StopReason.SUSPENDED, StopReason.HALTED})


class RunPermission(msgspec.Struct, frozen=True):
    """May a scan's shards run now? `blocked_by` is None if so, until `until` if that is set, which then is `ends`."""

    blocked_by: StopReason | None = None
    until: datetime | None = None
    ends: StopReason = StopReason.TIME_LIMIT


def run_permission(brief: ScanBrief, now: datetime) -> RunPermission:
    """What the scan and the stack say at `now`. A scan past its deadline is over, whatever else is the matter."""
    if brief.state in FINAL_STATES:
        return RunPermission(StopReason.OVER)
    if brief.deadline_at and brief.deadline_at <= now:
        return RunPermission(StopReason.SCAN_DEADLINE)
    if brief.halted:
        return RunPermission(StopReason.HALTED)
    if brief.state is ScanState.SUSPENDED:
        return RunPermission(StopReason.SUSPENDED)
    return _standing_by_the_clock(brief, now)


def _standing_by_the_clock(brief: ScanBrief, now: datetime) -> RunPermission:
    deadline = RunPermission(None, brief.deadline_at, StopReason.SCAN_DEADLINE)
    if not brief.windows:
        return deadline
    from cascan.timing.windows import Window, find_opening  # noqa: PLC0415 - few scans have windows

    hours = find_opening([Window.parse(window) for window in brief.windows], now)
    if hours is None:
        return deadline
    if not hours.is_open:
        return RunPermission(StopReason.WINDOW)
    if brief.deadline_at and brief.deadline_at <= hours.until:
        return deadline
    return RunPermission(None, hours.until, StopReason.WINDOW)
