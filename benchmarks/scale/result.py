"""What a simulation shows, in one row."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.scale.load import build_express_request, build_small_request, build_wide_request, find_scan_id
from benchmarks.scale.setting import Setting
from benchmarks.scale.world import World

TAIL = "the last shards"
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Times in seconds; None: it did not come to that."""

    setting: Setting
    closed_shards: int
    refused_scans: int
    planner_timeouts: int
    planned_s: float  # until the last wide scan was planned
    drained_s: float
    first_wide_end_s: float | None
    small_wait_s: float | None  # from its request until a worker has its first shard
    express_s: float | None  # from its request to its end
    most_workers: int
    most_in_flight: int  # shards of one scan
    peak_writes: int  # write units a second of the table
    partition_peak: int
    partition: str  # that had it
    binding: str
    binding_share: float  # of the time, without the tail


def simulate(setting: Setting) -> Result:
    world = World(setting)
    world.run()
    wide = [world.times[find_scan_id(build_wide_request(number, setting.shards))] for number in range(setting.scans)]
    small = world.times.get(find_scan_id(build_small_request()))
    express = world.times.get(find_scan_id(build_express_request()))
    binding, share = _find_binding(world)
    return Result(
        setting=setting,
        closed_shards=world.closed,
        refused_scans=len(world.refused),
        planner_timeouts=world.planner_timeouts,
        planned_s=max(times.planned for times in wide),
        drained_s=world.clock.now,
        first_wide_end_s=min((times.ended for times in wide if times.ended is not None), default=None),
        small_wait_s=small.first_claimed - small.requested if small and small.first_claimed is not None else None,
        express_s=express.ended - express.requested if express and express.ended is not None else None,
        most_workers=world.fleet.most,
        most_in_flight=world.table.most_in_flight,
        peak_writes=world.meter.peak,
        partition_peak=world.meter.partition_peak,
        partition=world.meter.partition_kind,
        binding=binding,
        binding_share=share,
    )


def _find_binding(world: World) -> tuple[str, float]:
    samples = {name: number for name, number in world.binding.items() if name != TAIL}
    if not samples:
        return TAIL, 1.0
    name = max(samples, key=lambda each: samples[each])
    return name, samples[name] / sum(samples.values())


def format_duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit_s, unit in ((DAY_S, "days"), (HOUR_S, "h"), (MINUTE_S, "min")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.1f} {unit}"
    return f"{seconds:.0f} s"
