"""How far a scan is, and when there is something to tell the rest from."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cascan.model.scan import Counts, Outcome, ScanState
from cascan.model.shard import Lane, Progress, ProposedCut, ShardState
from cascan.queries.scan_progress import (
    HostCounts,
    LiveShards,
    ScanProgress,
    TaskPace,
    TimeLeft,
    count_hosts,
    find_usual_duration,
    measure_progress,
    read_live_shards,
    summarize_shards,
)
from tests.fakes import MemoryScanTable
from tests.support.builders import NOW, a_request, a_run, a_scan, a_shard


def measure(seconds: float, running: list[Progress] | None = None, **options: Any) -> ScanProgress:
    scan = a_scan(**options.pop("scan", {}))
    pace = options.pop("pace", TaskPace())
    live = LiveShards(running or [])
    return measure_progress(scan, live, NOW + timedelta(seconds=seconds), pace=pace, **options)


def test_the_pace_of_the_shards_tells_how_long_the_others_take() -> None:
    progress = measure(60, scan={"shards": 10, "shards_open": 8, "hosts_up": 7})
    assert progress == ScanProgress(60, 20, 2, HostCounts(None, 1, 7, 0), TimeLeft(240, "shards"))


@pytest.mark.parametrize(
    "scan",
    [
        {"shards": 10, "shards_open": 9},  # one shard may be unlike the others
        {"shards": 100, "shards_open": 97},
        {"shards": 1, "shards_open": 1},
        {"shards": 10, "shards_open": 5, "state": ScanState.SUSPENDED},
    ],
)
def test_without_a_base_there_is_no_time_left(scan: dict[str, Any]) -> None:
    assert measure(60, scan=scan).left is None


def test_a_scan_that_is_held_has_no_time_left() -> None:
    assert measure(60, scan={"shards": 10, "shards_open": 5}, is_held=True, usual_s=100).left is None


def test_the_last_scan_tells_how_long_this_one_takes_until_it_takes_longer() -> None:
    assert measure(60, usual_s=100).left == TimeLeft(40, "last scan")
    assert measure(101, usual_s=100).left is None


def test_the_pace_of_a_task_tells_how_long_that_takes_once_it_advanced() -> None:
    pace = TaskPace()
    seen = [(10, "NSE", 40), (11, "NSE", 43), (20, "NSE", 60), (25, "NSE", 60), (90, "NSE", 60), (91, "Ping", 80)]
    lefts = [measure(at, [Progress(task=task, percent=percent)], pace=pace).left for at, task, percent in seen]
    # Between two reports of a worker the time left runs down, to none
    assert lefts == [None, None, TimeLeft(20, "NSE"), TimeLeft(15, "NSE"), TimeLeft(0, "NSE"), None]


def test_of_several_tasks_none_tells_the_time_left() -> None:
    pace = TaskPace()
    for at in (0, 10):
        assert measure(at, [Progress(task="NSE", percent=at), Progress(task="NSE", percent=at)], pace=pace).left is None


def test_a_clock_that_is_late_gives_no_negative_time() -> None:
    assert measure(-5).elapsed_s == 0


def test_the_usual_duration_is_that_of_the_last_scan_that_was_asked_for_the_same() -> None:
    table = MemoryScanTable()
    ended: dict[str, Any] = {"state": ScanState.DONE, "outcome": Outcome.COMPLETE}
    requests = [a_request(), a_request(), a_request(parameters=("-sV",))]
    for hour, request in enumerate(requests):
        at = NOW + timedelta(hours=hour)
        finished = at + timedelta(seconds=10 * (hour + 1))
        table.create_scan(
            a_scan(scan_id=f"{hour:a>16}", requested_at=at, finished_at=finished, request=request, **ended)
        )
    later = a_scan(scan_id="z" * 16, requested_at=NOW + timedelta(hours=9), request=a_request())
    assert find_usual_duration(later, table) == 20
    assert find_usual_duration(a_scan(request=a_request(targets=("10.0.0.9",))), table) is None


# ---- hosts


def test_hosts_are_counted_of_reports_that_are_recorded_and_of_those_that_nmap_writes() -> None:
    running = Progress(task="NSE", hosts_done=3, hosts_up=3, open_ports=5, addresses_done=40)
    shards = [
        a_shard(state=ShardState.RECORDED, run=a_run(addresses=100), progress=Progress(hosts_up=9, open_ports=9)),
        a_shard(number=1, state=ShardState.RUNNING, progress=running),
        a_shard(number=2, state=ShardState.REPORTED, run=a_run(addresses=50), progress=Progress(hosts_up=2)),
        a_shard(number=3, state=ShardState.QUEUED),
        a_shard(number=4, state=ShardState.FAILED, progress=Progress(hosts_up=7, addresses_done=7)),
    ]
    live = summarize_shards(shards)
    assert live == LiveShards([running], addresses_done=190, hosts_up=5, open_ports=5)
    scan = a_scan(shards=5, shards_open=3, addresses=600, hosts_up=9, findings=Counts(categories={"Open Port": 9}))
    assert count_hosts(scan, live) == HostCounts(190, 600, 14, 14)


def test_an_earlier_worker_counts_finished_hosts_only() -> None:
    shard = a_shard(state=ShardState.RUNNING, progress=Progress(task="NSE", hosts_done=3))
    assert summarize_shards([shard]).addresses_done == 3


def test_of_a_report_that_is_to_be_cut_only_what_nmap_finished_is_done() -> None:
    cut = ProposedCut(remaining=(), lane=Lane.CONNECT)
    progress = Progress(hosts_done=2, hosts_up=2, addresses_done=4)
    shard = a_shard(state=ShardState.REPORTED, run=a_run(addresses=100), cut=cut, progress=progress)
    assert summarize_shards([shard]).addresses_done == 4


def test_when_no_shard_is_left_all_addresses_are_done_and_each_host_counts_once() -> None:
    scan = a_scan(shards_open=0, addresses=256, hosts_up=3)
    assert count_hosts(scan, LiveShards([], 100, hosts_up=3, open_ports=2)) == HostCounts(256, 256, 3, 0)


def test_no_more_addresses_are_done_than_there_are() -> None:
    assert count_hosts(a_scan(addresses=4), LiveShards([], 9)).addresses_done == 4


@pytest.mark.parametrize(
    "scan", [{"shards": 201, "shards_open": 201}, {"members": ("b" * 16,)}, {"shards_in_flight": 0}]
)
def test_shards_are_not_read_where_they_are_too_many_or_none_runs(scan: dict[str, Any]) -> None:
    table = MemoryScanTable()
    table.add_shards([a_shard(state=ShardState.RUNNING, progress=Progress(hosts_done=1))])
    assert read_live_shards(a_scan(**scan), table) == LiveShards()
