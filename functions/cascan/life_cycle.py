"""The life of a shard: every move from one state to another, who makes it, and on which condition.

The table is the truth, a message only a nudge: messages may come twice, late, or be dropped and sent again; the
conditional write of a move alone decides. docs/life-of-a-shard.md draws the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

from cascan.model.shard import OPEN_STATES, ShardState

WAITING, QUEUED, RUNNING, REPORTED = ShardState.WAITING, ShardState.QUEUED, ShardState.RUNNING, ShardState.REPORTED


@dataclass(frozen=True, slots=True)
class Move:
    """One kind of transition. `frm` is part of the condition of its write."""

    name: str  # of the method of ScanTable
    frm: frozenset[ShardState]
    to: frozenset[ShardState]
    who: str
    when: str


RELEASE = Move(
    "release_shard",
    frozenset({WAITING}),
    frozenset({QUEUED}),
    "whoever sent its message, or the worker that got it first",
    "fewer than `parallel` shards of the scan are in flight, and it is Init or Scanning",
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
    "the holder, when nmap was stopped after it had finished some hosts",
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
