"""Scans, apart from their shards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Protocol

from cascan.model.reason import Reasons
from cascan.model.scan import NO_REASONS, Counts, Outcome, Scan, ScanBrief, ScanState


class Scans(Protocol):
    """Scans. Every transition is a conditional write."""

    def create_scan(self, scan: Scan) -> bool:
        """False: a scan of this id exists, and stays as it is."""

    def get_scan(self, scan_id: str) -> Scan | None:
        """The scan, read consistently."""

    def list_scans(self, limit: int) -> Iterator[Scan]:
        """Newest first."""

    def advance_scan(self, scan_id: str, to: ScanState, *, expected: Iterable[ScanState], why: str = "") -> bool:
        """Move the scan from one of the states `expected` to `to`, with `why` as its error description.

        False: it was in another state.
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
    ) -> bool:
        """End the scan: it has no open shard left. `reasons`: why the outcome is not complete.

        False: an earlier delivery did it. A scan that is Cancelled already, and has no outcome yet, is given it.
        """

    def mark_announced(self, scan_id: str, *, announced: bool = True) -> None:
        """The scan's end is on the bus; or, of one that was rebuilt and goes on, it is not."""

    def finish_scan(self, scan_id: str, counts: Counts) -> bool:
        """HookProcessing → Done, with the findings as counted from the table. False: it was done already."""

    def scan_brief(self, scan_id: str) -> ScanBrief | None:
        """The few words of a scan that say whether its shards may run now, read consistently, however long it is."""

    def remove_scan(self, scan_id: str, most: int) -> bool:
        """Remove the scan with its shards, findings and changes, the scan itself last; not the inventory.

        False: `most` items were removed, and some are left.
        """
