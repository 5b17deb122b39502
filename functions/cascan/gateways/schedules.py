"""Scheduled scans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

from cascan.model.schedule import (
    LatestResult,
    ScanTypes,
    ScheduledRun,
    ScheduleStatus,
    StoredSchedule,
)


class ScheduleTable(Protocol):
    """Scheduled scans: their manifests, their status and their runs."""

    def put_schedule(self, name: str, document: Mapping[str, Any]) -> StoredSchedule:
        """Store the manifest, unless it equals the stored one. Returns what is stored afterwards.

        The time of the first version is kept, from which intervals are counted.
        """

    def restore_schedule(self, stored: StoredSchedule) -> bool:
        """Store a manifest from a backup. False: a manifest with this name is already stored."""

    def schedule(self, name: str) -> StoredSchedule | None:
        """The manifest, read consistently. None: there is none."""

    def schedules(self) -> Iterator[StoredSchedule]:
        """All manifests, in order of their names."""

    def delete_schedule(self, name: str) -> bool:
        """Remove the manifest, its status and its runs, but not its scans. False: there is none."""

    def scan_types(self) -> ScanTypes | None:
        """The stored scan types, read consistently. None: none are stored yet."""

    def put_scan_types(self, scan_types: ScanTypes) -> bool:
        """Store the next version of the scan types. False: another version is stored."""

    def record_due(self, name: str, due_at: datetime) -> bool:
        """Record that the schedule was due. False: a later time is already recorded."""

    def record_result(self, name: str, result: LatestResult) -> None:
        """Record the result of a scan that succeeded, unless a later result is recorded."""

    def status(self, name: str) -> ScheduleStatus:
        """When the schedule was last due and last ran, and its latest result."""

    def add_run(self, run: ScheduledRun) -> ScheduledRun:
        """Store the run, unless a run of this time is stored. Returns the stored run."""

    def runs(self, name: str) -> Iterator[ScheduledRun]:
        """The runs of the schedule, the oldest first."""

    def end_run(self, run: ScheduledRun) -> None:
        """Record that the run's scan has ended, and was removed or is about to be."""

    def forget_run(self, run: ScheduledRun) -> None:
        """Remove the run, if it is stored."""
