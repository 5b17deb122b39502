"""How far a scan is, and when there is something to tell the rest from."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cascan.model.scan import Outcome, ScanState
from cascan.model.shard import Progress
from cascan.queries.scan_progress import ScanProgress, TaskPace, TimeLeft, find_usual_duration, measure_progress
from tests.fakes import MemoryScanTable
from tests.support.builders import NOW, a_request, a_scan


def measure(seconds: float, running: list[Progress] | None = None, **options: Any) -> ScanProgress:
    scan = a_scan(**options.pop("scan", {}))
    pace = options.pop("pace", TaskPace())
    return measure_progress(scan, running or [], NOW + timedelta(seconds=seconds), pace=pace, **options)


def test_the_pace_of_the_shards_tells_how_long_the_others_take() -> None:
    progress = measure(60, scan={"shards": 10, "shards_open": 8, "hosts_up": 7}, running=[Progress(hosts_done=3)])
    assert progress == ScanProgress(60, 20, 2, 10, TimeLeft(240, "shards"))


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
