"""Scheduled scans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

from cascan.model.schedule import LatestResult, ScanTypes, ScheduledRun, ScheduleStatus, StoredSchedule


class ScheduleTable(Protocol):
    """Scheduled scans: their manifests, what became of their times, and the scans they asked for."""

    def put_schedule(self, name: str, document: Mapping[str, Any]) -> StoredSchedule:
        """Store the manifest over the one that stands; that one, if it is the same. Intervals go on from the first."""

    def restore_schedule(self, stored: StoredSchedule) -> bool:
        """Store a manifest as it was. False: there is one of this name."""

    def schedule(self, name: str) -> StoredSchedule | None:
        """The manifest, read consistently."""

    def schedules(self) -> Iterator[StoredSchedule]:
        """In order of their names."""

    def delete_schedule(self, name: str) -> bool:
        """Remove the manifest, its status and its runs; not its scans. False: there is none."""

    def scan_types(self) -> ScanTypes | None:
        """What was last seen of the scan types, read consistently; None: nothing yet."""

    def put_scan_types(self, scan_types: ScanTypes) -> bool:
        """Store them over their version before. False: another version is there."""

    def record_due(self, name: str, due_at: datetime) -> bool:
        """Record that the schedule was due. False: a later time was recorded before."""

    def record_result(self, name: str, result: LatestResult) -> None:
        """Record a scan of it that succeeded. An older one than the recorded one changes nothing."""

    def status(self, name: str) -> ScheduleStatus:
        """What became of its times."""

    def add_run(self, run: ScheduledRun) -> ScheduledRun:
        """Store the run. Returns the stored run of this time: an earlier delivery's, if there was one."""

    def runs(self, name: str) -> Iterator[ScheduledRun]:
        """By the time they were due, the oldest first."""

    def end_run(self, run: ScheduledRun) -> None:
        """Its scan is over, and was removed or is about to be."""

    def forget_run(self, run: ScheduledRun) -> None:
        """Remove it; also one that is not there."""
