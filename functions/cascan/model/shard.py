"""A shard: the part of a scan that one nmap process runs."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from cascan.model.reason import Reason, ReasonCode, Reasons
from cascan.model.scan import Outcome, Scan
from cascan.model.usage import NO_USAGE, Capacity, Usage


class Lane(StrEnum):
    """The queue that a shard waits in, and so the kind of worker that takes it."""

    EXPRESS = "express"  # a Lambda: small, unprivileged
    CONNECT = "connect"  # a Fargate task without any capability
    RAW = "raw"  # a Fargate task that keeps NET_RAW


SHOWN_CHARS = 80  # of a target
LOST = "its worker ended without a word"  # the error of a shard that another worker took over


class ShardState(StrEnum):
    """cascan/scans/transitions.py says who moves a shard from one state to another, and when."""

    WAITING = "waiting"  # planned; its message is not sent yet
    QUEUED = "queued"  # its message was sent
    RUNNING = "running"
    REPORTED = "reported"  # nmap ended; its report is on the way
    RECORDED = "recorded"
    FAILED = "failed"
    CANCELLED = "cancelled"


IN_FLIGHT = frozenset({ShardState.QUEUED, ShardState.RUNNING, ShardState.REPORTED})
OPEN_STATES = IN_FLIGHT | {ShardState.WAITING}


class TargetSlice(msgspec.Struct, frozen=True):
    """Addresses number `start` (counted from 0) up to, not including, `stop` of a target
    expression.
    """

    expression: str
    start: int
    stop: int


class NmapRun(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of nmap did, apart from its XML."""

    attempt: int = 0  # the attempt that ran it, and whose report belongs to it
    argv: tuple[str, ...] = ()
    exit_code: int | None = None  # None: nmap was not started
    # The value of a StopReason, or "" if it ended by itself; text, so that any version can read it
    stopped: str = ""
    cut: bool = False  # another shard has what it did not finish; `addresses` counts what it did
    stderr: str = ""
    addresses: int = 0  # scanned, after names were resolved and excludes removed
    # Of these, hosts that ran into --host-timeout and that another shard has now
    asked_again: int = 0
    resolved: dict[str, tuple[str, ...]] = {}  # name → the addresses that were scanned for it
    unresolved: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()  # outside the scope once resolved, one sentence each
    # Name → the name that was looked up in its place, where they differ
    asked_as: dict[str, str] = {}
    reasons: tuple[Reason, ...] = ()  # why names and addresses of the shard were not scanned
    started_at: datetime | None = None
    finished_at: datetime | None = None
    # Of the attempt, from its claim on; also of attempts before it whose workers were lost
    usage: Usage = NO_USAGE


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a running nmap is, according to itself."""

    task: str = ""  # what it does now: "Connect Scan", "NSE" …
    percent: int = 0  # of that task, for the current group of hosts
    # Of hosts that are in the report with their end: a host that nmap still works on counts nowhere
    hosts_done: int = 0
    hosts_up: int = 0
    open_ports: int = 0
    # Addresses up to the last of these hosts; down ones are not in the report. 0 in items of earlier versions
    addresses_done: int = 0


class ProposedCut(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker did not finish of its shard. The function that reads the report cuts it off."""

    remaining: tuple[TargetSlice, ...]
    lane: Lane  # of the remainder
    failed: bool = False  # the remainder starts with one failure more
    error_description: str = ""  # why it is cut off
    timed_out: bool = False  # its hosts ran into --host-timeout, and get a longer one


class Shard(msgspec.Struct, frozen=True, kw_only=True):
    """One shard, as planned and as far as it got."""

    scan_id: str
    number: int  # from 0
    lane: Lane
    slices: tuple[TargetSlice, ...]
    arguments: tuple[str, ...]  # canonical nmap options, without targets and output files
    family: int = 4  # 4 or 6: one address family per process
    exclude: tuple[str, ...] = ()
    addresses: int = 0
    backoff_limit: int = 3  # attempts that may fail before it is given up
    # Hosts that run into --host-timeout become a shard of their own, with a longer one
    retry_timed_out: bool = False
    generation: int = 0  # how often it was cut off from another
    remainder_of: int | None = None  # the shard it was cut off from
    state: ShardState = ShardState.QUEUED
    # Grows with every claim: a worker with an earlier one has lost the shard. Names the report
    attempt: int = 0
    # Attempts that failed, without those that were stopped for no fault of the shard
    failures: int = 0
    worker: str = ""
    message_id: str = ""  # of the message that its holder received
    lease_until: datetime | None = None  # the holder is alive at least until then
    # Of its attempt, or of the first one that was lost since the shard was queued
    claimed_at: datetime | None = None
    usage: Usage = NO_USAGE  # of attempts that were returned without a run
    progress: Progress | None = None
    remainder: int | None = None  # the shard that was cut off from it last
    run: NmapRun | None = None
    cut: ProposedCut | None = None  # by the attempt that reported it, until it is cut
    outcome: Outcome | None = None
    reasons: Reasons = Reasons()  # why the outcome is not complete
    error_description: str = ""  # the last error
    stderr: str = ""  # of nmap in the last attempt that failed, at most MAX_STDERR_CHARS

    def seen_from(self, scan: Scan) -> str:
        """The vantage under which the inventory and the history keep what the shard saw."""
        return (self.lane is Lane.EXPRESS and scan.express_vantage) or scan.vantage

    @property
    def targets_summary(self) -> str:
        """`10.0.0.0/16, addresses 257 to 512, and 3 more`: the first slice, and the number of
        others.
        """
        if not self.slices:
            return "no targets"
        shown, *others = self.slices
        is_single = shown.start == 0 and shown.stop == 1
        addresses = "" if is_single else f", addresses {shown.start + 1} to {shown.stop}"
        count = f", and {len(others)} more" if others else ""
        return f"{shown.expression[:SHOWN_CHARS]}{addresses}{count}"

    def is_held(self, now: datetime) -> bool:
        """A worker holds it whose lease is valid."""
        is_claimed = self.state in (ShardState.RUNNING, ShardState.REPORTED)
        return is_claimed and self.lease_until is not None and self.lease_until > now

    def attempt_usage(self, capacity: Capacity, now: datetime) -> Usage:
        """What the running attempt has used until now, with those that were lost before it."""
        if self.claimed_at is None:  # an earlier version claimed it
            return NO_USAGE
        return Usage.of_time(capacity, int((now - self.claimed_at).total_seconds() * 1000))

    def total_usage(self, now: datetime | None = None) -> Usage:
        """What all its attempts have used. One that runs counts until now, and until its lease at most."""
        usage = self.usage + (self.run.usage if self.run else NO_USAGE) + Usage(attempts=self.attempt)
        if self.state is not ShardState.RUNNING or self.lease_until is None:
            return usage
        capacity = Capacity.LAMBDA if self.lane is Lane.EXPRESS else Capacity.ON_DEMAND
        return usage + self.attempt_usage(capacity, min(now or self.lease_until, self.lease_until))


class ShardClosing(msgspec.Struct, frozen=True, kw_only=True):
    """How a shard ended, and what it adds to its scan."""

    state: ShardState  # recorded, failed or cancelled
    outcome: Outcome
    severities: dict[str, int] = {}
    categories: dict[str, int] = {}
    findings: int = 0
    hosts_up: int = 0
    changes: dict[str, int] = {}  # in the inventory, by kind, against earlier scans
    extra_addresses: int = 0  # beyond those planned; below 0: there were fewer
    reasons: Reasons = Reasons()
    error_description: str = ""
    usage: Usage = NO_USAGE
    # Of shards that are closed together: until when an attempt that runs is counted
    closed_at: datetime | None = None

    def reasons_at(self, number: int) -> Reasons:
        """The reasons of shard `number`. Without any, one that repeats the error description."""
        if self.reasons.counts or self.outcome is Outcome.COMPLETE:
            return self.reasons.at_shard(number)
        sentence = self.error_description or f"shard {number} is {self.state}, its outcome is {self.outcome}"
        return Reasons.of([Reason.of(_reason_code(self), f"shard {number}", sentence)]).at_shard(number)


def _reason_code(closing: ShardClosing) -> ReasonCode:
    if closing.state is ShardState.CANCELLED:
        return ReasonCode.CANCELLED
    by_outcome = {Outcome.TIMED_OUT: ReasonCode.SCAN_DEADLINE, Outcome.FAILED: ReasonCode.SHARD_GIVEN_UP}
    return by_outcome.get(closing.outcome, ReasonCode.OTHER)


class ShardCut(msgspec.Struct, frozen=True, kw_only=True):
    """How a shard is cut in two: what nmap finished, and the remainder."""

    run: NmapRun
    done: tuple[TargetSlice, ...]
    remaining: tuple[TargetSlice, ...]
    lane: Lane  # of the remainder
    to: ShardState  # of the remainder: queued or waiting
    failed: bool = False  # the remainder starts with one failure more
    error_description: str = ""  # of the remainder: why it was cut off
    longer: tuple[str, ...] = ()  # options of the remainder, whose hosts timed out; empty: the same


class ShardReturn(msgspec.Struct, frozen=True, kw_only=True):
    """How a holder returns its shard."""

    to: ShardState  # queued or waiting
    failed: bool  # one failure more
    error_description: str = ""  # empty: the last error stays
    stderr: str = ""
    usage: Usage = NO_USAGE  # of the attempt


def split_shard(shard: Shard, cut: ShardCut, number: int) -> tuple[Shard, Shard]:
    """The shard as it is once cut, and its remainder under a new number."""
    done = msgspec.structs.replace(
        shard,
        state=ShardState.REPORTED,
        slices=cut.done,
        addresses=_addresses(cut.done),
        run=cut.run,
        cut=None,
        remainder=number,
    )
    remainder = Shard(
        scan_id=shard.scan_id,
        number=number,
        lane=cut.lane,
        slices=cut.remaining,
        arguments=cut.longer or shard.arguments,
        family=shard.family,
        exclude=shard.exclude,
        addresses=_addresses(cut.remaining),
        backoff_limit=shard.backoff_limit,
        retry_timed_out=shard.retry_timed_out and not cut.longer,
        generation=shard.generation + 1,
        remainder_of=shard.number,
        state=cut.to,
        failures=shard.failures + cut.failed,
        error_description=cut.error_description or shard.error_description,
        stderr=cut.run.stderr if cut.failed else shard.stderr,
    )
    return done, remainder


def _addresses(slices: tuple[TargetSlice, ...]) -> int:
    return sum(target_slice.stop - target_slice.start for target_slice in slices)
