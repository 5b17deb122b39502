"""The simulation of many wide scans: it repeats itself, and it keeps the bounds that it reports on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.scale.clock import VirtualClock
from benchmarks.scale.fleet import LAUNCH_RATE, VCPU_QUOTA, LaunchBucket
from benchmarks.scale.result import Result, simulate
from benchmarks.scale.setting import LAUNCH_BURST, LAUNCHES_PER_S, PARAMETERS, PARTITION_WRITES_PER_S, Setting
from benchmarks.scale.world import PlanningWorld
from benchmarks.scale.write_meter import BURST_S, WriteMeter
from tests.template.model import MODEL, ROOT

TEMPLATE_DEFAULTS = MODEL.templates[ROOT]["Parameters"]
SMALL = Setting(name="small", scans=4, shards=20, max_workers=5, shards_per_scan=6)


def test_the_default_setting_has_the_defaults_of_the_template() -> None:
    defaults = {parameter: TEMPLATE_DEFAULTS[parameter]["Default"] for parameter in PARAMETERS}

    setting = Setting(name="defaults")
    assert {parameter: getattr(setting, field) for parameter, field in PARAMETERS.items()} == defaults
    assert setting.worker_vcpu * 1024 == int(TEMPLATE_DEFAULTS["WorkerCpu"]["Default"])


def test_a_simulation_repeats_itself() -> None:
    assert simulate(SMALL) == simulate(SMALL)
    assert simulate(replace(SMALL, seed=2)) != simulate(SMALL)


@pytest.mark.parametrize("most", [1, 5])
@pytest.mark.parametrize("slots", [1, 3])
def test_every_shard_is_closed_by_at_most_max_workers(most: int, slots: int) -> None:
    result = simulate(replace(SMALL, max_workers=most, worker_slots=slots))

    small_scan, express_scan = 4, 1  # shards
    assert result.closed_shards == 4 * 20 + small_scan + express_scan
    assert result.most_workers == most
    least_s = 4 * 20 * 30 / most / slots  # no shard takes less than 30 s
    assert result.drained_s > least_s


@pytest.mark.parametrize("shards_per_scan", [1, 6, 20])
def test_a_release_never_exceeds_shards_per_scan(shards_per_scan: int) -> None:
    result = simulate(replace(SMALL, max_workers=50, vcpu_quota=50, shards_per_scan=shards_per_scan))

    assert result.most_in_flight <= shards_per_scan


def test_what_binds_changes_when_its_knob_is_turned() -> None:
    by_workers = simulate(SMALL)
    by_quota = simulate(replace(SMALL, max_workers=50, vcpu_quota=2))
    by_release = simulate(replace(SMALL, scans=1, shards=80, max_workers=20, vcpu_quota=50, shards_per_scan=2))

    assert by_workers.binding == "MaxWorkers"
    assert by_quota.binding == VCPU_QUOTA
    assert by_quota.most_workers == 8  # of 0.5 vCPU: four of each kind
    assert by_release.binding == "ShardsPerScan"


def test_fewer_queued_shards_of_each_scan_let_a_small_scan_begin_earlier() -> None:
    def wait_s(result: Result) -> float:
        assert result.small_wait_s is not None
        return result.small_wait_s

    assert wait_s(simulate(replace(SMALL, shards_per_scan=2))) < wait_s(simulate(replace(SMALL, shards_per_scan=20)))


def test_planners_that_share_too_few_writes_run_out_of_time_and_fewer_of_them_do_not() -> None:
    def plan_all(planners: int) -> PlanningWorld:
        world = PlanningWorld(Setting(name="burst", scans=150, shards=2_000, planners=planners))
        world.run()
        return world

    at_once, few = plan_all(1_000), plan_all(Setting(name="defaults").planners)

    assert at_once.refused
    assert at_once.planner_timeouts
    assert not few.refused
    assert not few.planner_timeouts


def test_launches_beyond_the_burst_come_at_the_rate_of_the_quota() -> None:
    bucket = LaunchBucket()

    assert bucket.take(LAUNCH_BURST, 0) == 0
    assert bucket.take(LAUNCHES_PER_S, 0) == 1
    assert bucket.take(LAUNCHES_PER_S, 100) == 100
    assert LAUNCH_RATE != VCPU_QUOTA


def test_a_partition_takes_its_writes_a_second_and_others_do_not_wait_for_it() -> None:
    meter = WriteMeter(table_writes_per_s=4_000)

    assert meter.admit({"scan/a": 3 * PARTITION_WRITES_PER_S}, 0) == pytest.approx(3 - BURST_S)
    assert meter.admit({"scan/b": 1}, 1) == 1
    assert meter.waited_s == {"partition scan/…": pytest.approx(3 - BURST_S)}


def test_events_of_one_instant_come_in_the_order_in_which_they_were_planned() -> None:
    clock, seen = VirtualClock(), list[str]()
    for name in ("first", "second"):
        clock.after(1, lambda name=name: seen.append(name))  # type: ignore[misc]
    clock.run(lambda: False)

    assert seen == ["first", "second"]
    assert clock.now == 1
