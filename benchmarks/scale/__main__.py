"""Print the tables of docs/scale.md: `python -m benchmarks.scale`."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Any

from benchmarks.scale.result import Result, format_duration, simulate
from benchmarks.scale.setting import TABLE_WRITES_PER_S, Setting
from benchmarks.scale.world import PlanningWorld

FULL_SHARDS = 2_000
HEADINGS = (
    "Setting",
    "Shards",
    "Most workers",
    "Planned after",
    "Drained after",
    "Small scan waits",
    "Express scan takes",
    "Peak writes/s",
    "Busiest partition, peak",
    "What binds, share of the time",
)
PLANNING_HEADINGS = ("Writes/s of the table", "PlanningConcurrency", "All planned after", "Timeouts", "Refused scans")
FLEET: dict[str, Any] = {"max_workers": 1_000, "vcpu_quota": 500}
ONE_SCAN: dict[str, Any] = FLEET | {"scans": 1, "shards": FULL_SHARDS}
SETTINGS = (
    Setting(name="defaults"),
    Setting(name="quota-6", max_workers=1_000),
    Setting(name="quota-100", max_workers=1_000, vcpu_quota=100),
    Setting(name="fleet", **FLEET),
    Setting(name="fair", **FLEET, shards_per_scan=4),
    Setting(name="short", **FLEET, shard_s=5),
    Setting(name="one", **ONE_SCAN),
    Setting(name="one-wide", **ONE_SCAN, shards_per_scan=1_000),
    Setting(name="one-short", **ONE_SCAN, shards_per_scan=1_000, shard_s=5),
)


def main() -> None:
    names = [setting.name for setting in SETTINGS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description="Simulate many wide scans.")
    parser.add_argument("--only", choices=names, help="this setting alone")
    parser.add_argument("--scans", type=int, help="wide scans, at most 510")
    parser.add_argument("--shards", type=int, help=f"shards of each, at most {FULL_SHARDS:,}")
    arguments = parser.parse_args()
    print(" | ".join(HEADINGS))
    for setting in SETTINGS:
        if arguments.only in (None, setting.name):
            started = time.process_time()
            scans, shards = arguments.scans or setting.scans, arguments.shards or setting.shards
            result = simulate(replace(setting, scans=scans, shards=shards))
            print(" | ".join(to_row(result)), f"({time.process_time() - started:.0f} s of one core)", flush=True)
    if not arguments.only:
        print_planning()


def print_planning() -> None:
    print(" | ".join(PLANNING_HEADINGS))
    for table_writes_per_s in (TABLE_WRITES_PER_S, 10 * TABLE_WRITES_PER_S):
        for planners in (10, 20, 50, 100, 1_000):
            burst = Setting(name="burst", shards=FULL_SHARDS, planners=planners, table_writes_per_s=table_writes_per_s)
            world = PlanningWorld(burst)
            world.run()
            planned = format_duration(max(times.planned for times in world.times.values()))
            refused, timeouts = str(len(world.refused)), str(world.planner_timeouts)
            print(" | ".join((f"{table_writes_per_s:,}", f"{planners:,}", planned, timeouts, refused)))


def to_row(result: Result) -> tuple[str, ...]:
    refused = f", {result.refused_scans} scans refused" if result.refused_scans else ""
    setting = result.setting
    return (
        setting.name,
        f"{setting.scans} x {setting.shards:,}{refused}",
        f"{result.most_workers:,}",
        format_duration(result.planned_s),
        format_duration(result.drained_s),
        format_duration(result.small_wait_s),
        format_duration(result.express_s),
        f"{result.peak_writes:,.0f}",
        f"{result.partition} {result.partition_peak:,.0f}",
        f"{result.binding}, {result.binding_share:.0%}",
    )


if __name__ == "__main__":
    main()
