"""The transitions of a shard's state, and whether a scan's shards may run now.

Only the conditional write of a transition decides what happens to a shard. Messages are hints: they
may arrive twice, late, or not at all and be sent again. docs/life-of-a-shard.md draws the picture.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from cascan.model.scan import FINAL_STATES, ScanBrief, ScanState
from cascan.model.shard import OPEN_STATES, ShardState

WAITING = ShardState.WAITING
QUEUED = ShardState.QUEUED
RUNNING = ShardState.RUNNING
REPORTED = ShardState.REPORTED


class Move(msgspec.Struct, frozen=True):
    """One kind of transition.

    `expected` is part of the condition of its write; `actor` and `condition` document it.
    """

    name: str  # the method of ScanTable
    expected: frozenset[ShardState]
    to: frozenset[ShardState]
    actor: str
    condition: str


RELEASE = Move(
    "release_shard",
    frozenset({WAITING}),
    frozenset({QUEUED}),
    "the sender of its message, or on_shard_abandoned, if a worker returns the message",
    "fewer than `parallel` shards of the scan are in flight, and it is Init, Scanning or Parsing",
)
HOLD = Move(
    "hold_shard",
    frozenset({QUEUED}),
    frozenset({WAITING}),
    "on_shard_abandoned, if a worker returns the shard because the scan may not run",
    "always: suspended, halted, or outside its window",
)
CLAIM = Move(
    "claim_shard",
    frozenset({QUEUED}),
    frozenset({RUNNING}),
    "a worker with its message",
    "always",
)
TAKE_OVER = Move(
    "claim_shard",
    frozenset({RUNNING, REPORTED}),
    frozenset({RUNNING}),
    "a worker with its message",
    "the lease has expired, or the holder's own message is delivered again; counts a failure",
)
BEAT = Move(
    "beat",
    frozenset({RUNNING, REPORTED}),
    frozenset({RUNNING, REPORTED}),
    "the holder",
    "the attempt is still the holder's; the state does not change",
)
REPORT = Move(
    "report_shard",
    frozenset({RUNNING, REPORTED}),
    frozenset({REPORTED}),
    "the holder, before it stores the report",
    "the attempt is still the holder's",
)
CUT = Move(
    "cut_shard",
    frozenset({REPORTED}),
    frozenset({REPORTED}),
    "on_report_stored, if the holder proposed it: nmap was stopped after some hosts, or some hosts timed out",
    "no later attempt was begun; the remainder is stored and counted as a new shard in the same transaction",
)
RETURN = Move(
    "return_shard",
    frozenset({RUNNING}),
    frozenset({QUEUED, WAITING}),
    "on_shard_abandoned, if the holder says that nmap was stopped, or failed, before a host was finished",
    "the attempt is still the holder's",
)
CLOSE = Move(
    "close_shard",
    OPEN_STATES,
    frozenset({ShardState.RECORDED, ShardState.FAILED, ShardState.CANCELLED}),
    "on_report_stored, on_shard_abandoned, or the function that cancels or ends the scan",
    "always; counted in the scan in the same transaction",
)
MOVES = (RELEASE, HOLD, CLAIM, TAKE_OVER, BEAT, REPORT, CUT, RETURN, CLOSE)


class StopReason(StrEnum):
    """Why nmap was stopped, or may not start. NmapRun.stopped stores the value."""

    TIME_LIMIT = "deadline"  # of the shard
    SIZE = "size"  # the report has MAX_REPORT_BYTES
    SCAN_DEADLINE = "scan-deadline"
    WINDOW = "window"  # the scan is outside its hours
    SUSPENDED = "suspended"
    HALTED = "halted"
    OVER = "over"  # the scan ended, or was cancelled
    LOST = "lost"  # the shard was cancelled, or another worker has it
    HEARTBEAT = "heartbeat"  # heartbeats could not be written until the lease was nearly over
    WORKER = "worker"  # the worker process must end


# A shard waits while its scan is blocked for one of these reasons.
HOLD_REASONS = frozenset({StopReason.WINDOW, StopReason.SUSPENDED, StopReason.HALTED})


class RunPermission(msgspec.Struct, frozen=True):
    """Whether a scan's shards may run now.

    They may if `blocked_by` is None: until `until`, when `limit_reason` applies.
    """

    blocked_by: StopReason | None = None
    until: datetime | None = None
    limit_reason: StopReason = StopReason.TIME_LIMIT


def run_permission(brief: ScanBrief, now: datetime) -> RunPermission:
    """Whether the scan may run at `now`.

    A passed deadline takes precedence over a halt, a suspension and windows.
    """
    if brief.state in FINAL_STATES:
        return RunPermission(StopReason.OVER)
    if brief.deadline_at and brief.deadline_at <= now:
        return RunPermission(StopReason.SCAN_DEADLINE)
    if brief.halted:
        return RunPermission(StopReason.HALTED)
    if brief.state is ScanState.SUSPENDED:
        return RunPermission(StopReason.SUSPENDED)
    return _permission_by_time(brief, now)


def _permission_by_time(brief: ScanBrief, now: datetime) -> RunPermission:
    """Until the deadline or the end of the current window, whichever is earlier."""
    until_deadline = RunPermission(None, brief.deadline_at, StopReason.SCAN_DEADLINE)
    if not brief.windows:
        return until_deadline
    from cascan.timing.windows import Window, find_opening  # noqa: PLC0415 - few scans have windows

    hours = find_opening([Window.parse(window) for window in brief.windows], now)
    if hours is None:
        return until_deadline
    if not hours.is_open:
        return RunPermission(StopReason.WINDOW)
    if brief.deadline_at and brief.deadline_at <= hours.until:
        return until_deadline
    return RunPermission(None, hours.until, StopReason.WINDOW)
