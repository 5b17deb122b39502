"""Events of a scan's life: planned, recorded shard by shard, suspended and resumed, ended."""

from __future__ import annotations

from datetime import datetime

import msgspec

from cascan.events.changes import ChangeCounts
from cascan.events.message import BusEvent
from cascan.model.reason import Reasons
from cascan.model.scan import Counts, Outcome, ScanState
from cascan.model.usage import ScanCost


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
    exposures: bool = False  # a file of expected exposure is stored, which the shard is judged by


class HostQuarantined(BusEvent, frozen=True, kw_only=True):
    """A report has hosts outside the scope, or that were not requested.

    They are in its XML and nowhere else.
    """

    shard: int
    report_key: str
    count: int  # host elements
    addresses: tuple[str, ...]  # the first MAX_QUARANTINED_ADDRESSES of them
    reason: str  # of the first host


class ScanCompleted(BusEvent, frozen=True, kw_only=True):
    """The last shard was closed. `outcome` says how complete the results are."""

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
    cascades: bool = True  # whether the request has `cascades`, so that rules may follow
    reasons: Reasons = Reasons()  # why the outcome is not complete
    members: tuple[str, ...] = ()  # ids of the scans that it consists of, one for each vantage
    cost: ScanCost | None = None  # None: an earlier version planned the scan


class ScanFailed(BusEvent, frozen=True, kw_only=True):
    """A scan without results: refused before it ran, or failed in every shard."""

    reason: str
    refused: bool  # the request was not accepted, and no packet was sent
    reasons: Reasons = Reasons()  # of a scan that ran


class ScanSuspended(BusEvent, frozen=True, kw_only=True):
    """A scan pauses until it is resumed. Its workers learn of it with their next heartbeat."""


class ScanResumed(BusEvent, frozen=True, kw_only=True):
    """A suspended scan goes on."""

    lanes: dict[str, int]  # shards that were queued again, by lane


class ScanCancelled(BusEvent, frozen=True, kw_only=True):
    """A person ended a scan. What it found until then is in the table."""

    reason: str
    reasons: Reasons = Reasons()  # what is missing


class ScheduleSkipped(BusEvent, frozen=True, kw_only=True):
    """A scheduled scan was due and did not start. `scan_id` is the id that it would have had."""

    schedule: str
    due_at: datetime
    kind: str  # running: an earlier run is; blackout: nothing starts on this date
    reason: str
    retried: bool  # it is tried again every minute until the next run is due
