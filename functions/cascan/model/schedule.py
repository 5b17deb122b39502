"""A schedule: when the scans of a series start, and the records of its runs."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from cascan.model.scan import Counts

SCHEDULE_LABEL = "cascan/schedule"  # on every scan of a schedule


class Concurrency(StrEnum):
    """What happens if a scan is due while an earlier one of the schedule runs.

    The names are secureCodeBox's.
    """

    ALLOW = "Allow"  # both run
    FORBID = "Forbid"  # it waits, with a retry every minute, until the next one is due
    REPLACE = "Replace"  # the earlier one is cancelled


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """When to scan, and what.

    Either `cron` or `interval_minutes` is set, the other is empty or 0.
    """

    name: str  # the series has the same name: its successive scans are compared
    scan: dict[str, Any]  # `spec` of a Scan manifest, or a request in the short form
    is_manifest: bool
    cron: str = ""
    interval_minutes: int = 0
    starts_at_once: bool = True  # of an interval; False: the first scan starts after one interval
    time_zone: str = "UTC"
    windows: tuple[str, ...] = ()
    blackout_dates: tuple[str, ...] = ()
    flexible_minutes: int = 0
    suspend: bool = False
    retrigger: bool = False  # scan also when the scan type changes
    concurrency: Concurrency = Concurrency.ALLOW
    successful_limit: int = 3
    failed_limit: int = 3
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}  # of its scans
    notes: tuple[str, ...] = ()  # on parts of the manifest that have no effect


class StoredSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest of a schedule as the table stores it."""

    name: str
    version: int
    document: dict[str, Any]
    created_at: datetime  # intervals are counted from here
    stored_at: datetime


class ScanTypes(msgspec.Struct, frozen=True, kw_only=True):
    """The content of the deployed scan types when it was last compared."""

    version: int
    made_of: dict[str, str]  # by scan type; only compared for equality
    changed_at: datetime  # when a difference was last seen
    untold: tuple[str, ...] = ()  # those of them whose schedules are not all informed yet


class ScheduledRun(msgspec.Struct, frozen=True, kw_only=True):
    """One scan of a schedule.

    `body` is its request: if the message repeats, the same bytes are sent again.
    """

    schedule: str
    due_at: datetime
    scan_id: str
    asked_at: datetime
    body: str
    ended: bool = False  # its scan ended, and is removed or about to be


class LatestResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of the latest successful scan."""

    scan_id: str
    finished_at: datetime
    findings: Counts


class ScheduleStatus(msgspec.Struct, frozen=True, kw_only=True):
    last_due_at: datetime | None = None  # the latest time that was handled, with or without a scan
    last_schedule_time: datetime | None = None  # the latest time that led to a scan
    last_result: LatestResult | None = None
