"""The changes that scans recorded in the inventory, without first observations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import NamedTuple

from cascan.gateways import Inventory
from cascan.model.inventory import Change
from cascan.model.scan import Scan

ShardOfScan = tuple[Scan, int]  # the scan, and the number of one of its shards


class ChangesOfDay(NamedTuple):
    day: date  # UTC
    counts: Counter[str]  # by kind


def list_changes(scans: Iterable[Scan], table: Inventory, most_shards: int) -> Iterator[tuple[Scan, Change]]:
    """The changes of the scans, one scan after the other, each with its scan. A scan with members has none itself.

    `most_shards`: of how many shards the changes are read; each takes a query, also where nothing changed.
    """
    for scan, number in islice(list_changed_shards(scans), most_shards):
        for change in table.changes(scan.scan_id, number):
            if not change.is_baseline:
                yield scan, change


def list_changed_shards(scans: Iterable[Scan]) -> Iterator[ShardOfScan]:
    """The numbers of the shards of scans with changes."""
    for scan in scans:
        if any(scan.changes.values()) and not scan.members:
            yield from ((scan, number) for number in range(scan.shards))


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
