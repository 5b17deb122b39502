"""The changes that scans recorded, as a list and by day."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace

from cascan.ids import derive_scan_id
from cascan.queries.recorded_changes import count_by_day, list_changes
from tests.support.builders import NOW, a_scan
from tests.support.scanned_network import World, xml


def test_changes_come_with_their_scans_and_without_first_observations(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.scan(0, xml({"10.0.0.1": (22, 80)}))
    world.scan(1, xml({"10.0.0.1": (22,)}))
    changes = list(list_changes(world.table.list_scans(10), world.table, 10))
    assert [(scan.scan_id, change.kind, change.port) for scan, change in changes] == [
        (derive_scan_id("scan at 1"), "PortClosed", 80)
    ]


def test_no_more_shards_are_read_than_may_be(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.scan(0, xml({"10.0.0.1": (22, 80)}))
    world.scan(1, xml({"10.0.0.1": (22,)}))
    wide = replace(next(world.table.list_scans(1)), shards=1_000_000)
    read: list[int] = []
    table = world.table
    table.changes = lambda scan_id, shard, after="": read.append(shard) or iter(())  # type: ignore[method-assign,func-returns-value]
    assert list(list_changes([wide], table, 5)) == []
    assert read == [0, 1, 2, 3, 4]


def test_each_day_counts_the_changes_of_the_scans_requested_on_it() -> None:
    scans = [
        a_scan(changes={"PortOpened": 2}),
        a_scan(changes={"PortOpened": 1, "HostGone": 1}, requested_at=NOW - timedelta(days=2)),
        a_scan(changes={"PortOpened": 9}, members=("a", "b")),  # whose members count
        a_scan(changes={"PortOpened": 9}, requested_at=NOW - timedelta(days=3)),
    ]
    days = count_by_day(scans, NOW, 3)
    assert [each.day.isoformat() for each in days] == ["2026-02-27", "2026-02-28", "2026-03-01"]
    assert [each.counts for each in days] == [
        Counter(PortOpened=1, HostGone=1),
        Counter(),
        Counter(PortOpened=2),
    ]
