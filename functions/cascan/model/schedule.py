"""A scheduled scan: when scans of one series start, and what is kept of them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from cascan.model.scan import Counts


class Concurrency(StrEnum):
    """What happens when a scan is due and an earlier one of the schedule still runs; secureCodeBox's names."""

    ALLOW = "Allow"  # it starts beside it
    FORBID = "Forbid"  # it is passed over, and tried again a minute later until the next one is due
    REPLACE = "Replace"  # the earlier one is cancelled


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """When, and what. `cron` is kept as it was written; `interval_minutes` is 0 where there is a cron."""

    name: str  # also the series' name: successive scans of it are compared
    scan: dict[str, Any]  # `spec` of a Scan manifest, or a request in the short form
    is_manifest: bool
    cron: str = ""
    interval_minutes: int = 0
    starts_at_once: bool = True  # of an interval: else its first scan starts when one interval is over
    time_zone: str = "UTC"
    windows: tuple[str, ...] = ()
    blackout_dates: tuple[str, ...] = ()
    flexible_minutes: int = 0
    suspend: bool = False
    retrigger: bool = False  # also when its scan type has changed
    concurrency: Concurrency = Concurrency.ALLOW
    successful_limit: int = 3
    failed_limit: int = 3
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}  # those that its scans are given
    notes: tuple[str, ...] = ()  # on what of the manifest has no effect here


class StoredSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest as it is kept."""

    name: str
    version: int
    document: dict[str, Any]
    created_at: datetime  # intervals are counted from here
    stored_at: datetime


class ScanTypes(msgspec.Struct, frozen=True, kw_only=True):
    """What the deployed scan types are made of, as it was last seen."""

    version: int
    made_of: dict[str, str]  # by scan type; compared, never read
    changed_at: datetime  # when one was last seen to be another than before
    untold: tuple[str, ...] = ()  # those that changed then, and whose schedules may not all know it yet


class ScheduledRun(msgspec.Struct, frozen=True, kw_only=True):
    """One scan that a schedule asked for. `body` is the request as it was sent: a repeat sends the same bytes."""

    schedule: str
    due_at: datetime
    scan_id: str
    asked_at: datetime
    body: str
    ended: bool = False  # its scan is over, and was removed or is about to be


class LatestResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the latest successful scan found."""

    scan_id: str
    finished_at: datetime
    findings: Counts


class ScheduleStatus(msgspec.Struct, frozen=True, kw_only=True):
    last_due_at: datetime | None = None  # the latest time that was looked at, whether or not a scan followed
    last_schedule_time: datetime | None = None  # the latest time that a scan followed
    last_result: LatestResult | None = None
