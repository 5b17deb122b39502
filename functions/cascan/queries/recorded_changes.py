"""The changes that scans recorded in the inventory, without first observations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from cascan.gateways import Inventory
from cascan.model.inventory import Change
from cascan.model.scan import Scan


class ChangesOfDay(NamedTuple):
    day: date  # UTC
    counts: Counter[str]  # by kind


def list_changes(scans: Iterable[Scan], table: Inventory) -> Iterator[tuple[Scan, Change]]:
    """The changes of the scans, one scan after the other, each with its scan. A scan with members has none itself."""
    for scan in scans:
        if scan.members or not any(scan.changes.values()):
            continue
        for number in range(scan.shards):
            for change in table.changes(scan.scan_id, number):
                if not change.is_baseline:
                    yield scan, change


def count_by_day(scans: Iterable[Scan], now: datetime, days: int) -> list[ChangesOfDay]:
    """The changes that scans of each of the latest days recorded, the oldest day first."""
    today = now.astimezone(UTC).date()
    counted = [ChangesOfDay(today - timedelta(days=ago), Counter()) for ago in reversed(range(days))]
    by_day = {each.day: each.counts for each in counted}
    for scan in scans:
        counts = by_day.get(scan.requested_at.astimezone(UTC).date())
        if counts is not None and not scan.members:
            counts.update(scan.changes)
    return counted
