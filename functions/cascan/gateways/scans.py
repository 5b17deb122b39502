"""Scans, without their shards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Protocol

from cascan.model.reason import Reasons
from cascan.model.scan import NO_REASONS, Counts, Outcome, Scan, ScanBrief, ScanState, Suspension
from cascan.model.shard import ShardClosing
from cascan.model.usage import ScanCost

ScanPlace = tuple[datetime, str]  # in a list of scans: when one was requested, and its id


class Scans(Protocol):
    """Scans. Every transition is a conditional write."""

    def create_scan(self, scan: Scan) -> bool:
        """Store a new scan. False: a scan with this id exists, and stays as it is."""

    def get_scan(self, scan_id: str) -> Scan | None:
        """The scan, read consistently. None: there is none."""

    def list_scans(self, limit: int, *, after: ScanPlace | None = None) -> Iterator[Scan]:
        """At most `limit` scans, the newest first.

        `after`: only those behind this place, whether or not there still is a scan.
        """

    def advance_scan(
        self,
        scan_id: str,
        to: ScanState,
        *,
        expected: Iterable[ScanState],
        why: str = "",
        suspension: Suspension | None = None,
    ) -> bool:
        """Set the state of a scan that is in one of the states `expected`.

        `why` becomes the error description, if it is not empty; `suspension` is stored, if there is
        one. False: the scan was in another state.
        """

    def close_scan(
        self,
        scan_id: str,
        to: ScanState,
        outcome: Outcome,
        at: datetime,
        error: str = "",
        *,
        reasons: Reasons = NO_REASONS,
        cost: ScanCost | None = None,
    ) -> bool:
        """End a scan that has no open shards. `reasons`: why the outcome is not complete.

        A cancelled scan has its state already, and gets its outcome here. False: the scan has
        ended before, or has open shards.
        """

    def count_member(self, member: Scan, closing: ShardClosing) -> bool:
        """Count an ended member in the scan that it is a member of, once.

        False: it was counted before, or one of the two scans is gone.
        """

    def mark_announced(self, scan_id: str, *, announced: bool = True) -> None:
        """Record whether the scan's end was put on the bus.

        Only a rebuild passes `announced=False`, for a scan that continues.
        """

    def finish_scan(self, scan_id: str, counts: Counts) -> bool:
        """Move the scan to Done, with the exact counts of its findings.

        False: it was done already.
        """

    def recount_findings(self, scan_id: str, counts: Counts) -> bool:
        """Set the counts of the findings of a scan that has ended, which were made anew: its
        `findings_revision` goes up by one.

        False: it has not ended, or there is no such scan.
        """

    def scan_brief(self, scan_id: str) -> ScanBrief | None:
        """The few fields that decide whether the scan's shards may run now, read consistently.

        None: there is no such scan.
        """

    def remove_scan(self, scan_id: str, most: int) -> bool:
        """Remove the scan's shards, findings and changes, then the scan. The inventory stays.

        False: `most` items were removed, and others remain.
        """
