"""How a scan goes: planned, recorded shard by shard, ended, interfered with."""

from __future__ import annotations

from datetime import datetime

import msgspec

from cascan.events.changes import ChangeCounts
from cascan.events.message import BusEvent
from cascan.model.reason import Reasons
from cascan.model.scan import Counts, Outcome, ScanState


class ScanPlanned(BusEvent, frozen=True, kw_only=True):
    """A request was accepted, and its shards are queued."""

    scan_type: str
    addresses: int
    shards: int
    lanes: dict[str, int]  # shards that were queued, by lane: express, connect, raw


class FindingsRecorded(BusEvent, frozen=True, kw_only=True):
    """One shard's report was read, and its findings are in the table."""

    shard: int
    report_key: str
    outcome: Outcome
    hosts_up: int
    findings: Counts
    changes: ChangeCounts = ChangeCounts()
    reasons: Reasons = Reasons()  # why the outcome is not complete


class HostQuarantined(BusEvent, frozen=True, kw_only=True):
    """A report held hosts outside the scope, or that nobody asked for. They are in its XML and nowhere else."""

    shard: int
    report_key: str
    count: int  # host elements
    addresses: tuple[str, ...]  # the first MAX_QUARANTINED_ADDRESSES of them
    reason: str  # of the first


class ScanCompleted(BusEvent, frozen=True, kw_only=True):
    """The last shard was closed. `outcome` says what the answer is worth."""

    state: ScanState
    outcome: Outcome
    requested_at: datetime
    finished_at: datetime
    addresses: int
    shards: int
    shard_outcomes: dict[str, int]
    hosts_up: int
    findings: Counts
    changes: dict[str, int] = msgspec.field(default_factory=dict)  # by kind, against earlier scans
    cascades: bool = True  # whether the scan asked for any: rules may follow it
    reasons: Reasons = Reasons()  # why the outcome is not complete


class ScanFailed(BusEvent, frozen=True, kw_only=True):
    """A scan that has no answer: refused before it ran, or failed in every shard."""

    reason: str
    refused: bool  # True: the request was not accepted, and no packet was sent
    reasons: Reasons = Reasons()  # of a scan that ran


class ScanSuspended(BusEvent, frozen=True, kw_only=True):
    """A scan stands still until it is resumed. Its workers hear of it with their next heartbeat."""


class ScanResumed(BusEvent, frozen=True, kw_only=True):
    """A scan that stood still goes on."""

    lanes: dict[str, int]  # shards that were queued again, by lane


class ScanCancelled(BusEvent, frozen=True, kw_only=True):
    """A scan was ended by somebody. What was found until then is in the table."""

    reason: str
    reasons: Reasons = Reasons()  # what is missing


class ScheduleSkipped(BusEvent, frozen=True, kw_only=True):
    """A scheduled scan was due and did not start. `scan_id` is the id that it would have had."""

    schedule: str
    due_at: datetime
    kind: str  # running: an earlier one is; blackout: nothing starts on this date
    reason: str
    retried: bool  # True: it is tried again every minute until the next one is due
