"""How far a scan is, and how long it may still take, as far as there is something to tell it from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from cascan.gateways import Scans
from cascan.limits import MAX_SCANS_LOOKED_FOR
from cascan.model.scan import Scan, ScanState
from cascan.model.shard import Progress
from cascan.queries.since_last_scan import list_earlier_scans

MIN_SHARDS_DONE = 2  # before their pace says anything of the others
MIN_SHARE_DONE = 0.05
MIN_PERCENT_SEEN = 5  # that a task of nmap advanced while it was watched
MIN_SECONDS_SEEN = 2.0


class TimeLeft(NamedTuple):
    seconds: float
    basis: str  # `shards`: their pace; `last scan`: the same request before; else the task of nmap that it is about


class ScanProgress(NamedTuple):
    elapsed_s: float
    percent: int | None  # of the shards that are done; None: there is one alone
    shards_done: int
    hosts_done: int  # in reports that are recorded, and in those that are being written
    left: TimeLeft | None  # None: there is no base for an estimate


class TaskPace:
    """How fast the task of the one nmap that runs advances, since it was first seen.

    A percentage counts from when it was first seen: workers report theirs now and then.
    """

    def __init__(self) -> None:
        self._task = ""
        self._first = self._newest = (0.0, 0)  # second, percent

    def estimate(self, running: Sequence[Progress], elapsed_s: float) -> TimeLeft | None:
        """None: several run, or the task has not advanced enough yet."""
        if len(running) != 1 or not running[0].task:
            return None
        task, percent = running[0].task, running[0].percent
        if task != self._task or percent < self._newest[1]:
            self._task = task
            self._first = self._newest = (elapsed_s, percent)
        elif percent > self._newest[1]:
            self._newest = (elapsed_s, percent)
        seconds, advanced = self._newest[0] - self._first[0], self._newest[1] - self._first[1]
        if advanced < MIN_PERCENT_SEEN or seconds < MIN_SECONDS_SEEN:
            return None
        left_s = (100 - percent) * seconds / advanced - (elapsed_s - self._newest[0])
        return TimeLeft(max(0.0, left_s), task)


def measure_progress(
    scan: Scan,
    running: Sequence[Progress],
    now: datetime,
    *,
    pace: TaskPace,
    usual_s: float | None = None,
    is_held: bool = False,
) -> ScanProgress:
    """`usual_s`: how long the same request took before. `is_held`: the stack is halted, or the windows are closed."""
    elapsed_s = max(0.0, (now - scan.requested_at).total_seconds())
    done = scan.shards - scan.shards_open
    share = done / scan.shards if scan.shards else 0.0
    left: TimeLeft | None = None
    if not is_held and scan.state is not ScanState.SUSPENDED:
        if done >= MIN_SHARDS_DONE and share >= MIN_SHARE_DONE:
            left = TimeLeft(elapsed_s * (1 - share) / share, "shards")
        elif usual_s is not None and usual_s > elapsed_s:
            left = TimeLeft(usual_s - elapsed_s, "last scan")
        else:
            left = pace.estimate(running, elapsed_s)
    return ScanProgress(
        elapsed_s=elapsed_s,
        percent=int(100 * share) if scan.shards > 1 else None,
        shards_done=done,
        hosts_done=scan.hosts_up + sum(entry.hosts_done for entry in running),
        left=left,
    )


def find_usual_duration(scan: Scan, table: Scans) -> float | None:
    """How many seconds the last scan of the series took that was asked for the same; None: there is none."""
    for earlier in list_earlier_scans(table, scan, MAX_SCANS_LOOKED_FOR):
        if scan.request and earlier.request and earlier.finished_at:
            asked = (scan.request.targets, scan.request.exclude, scan.request.parameters)
            if asked == (earlier.request.targets, earlier.request.exclude, earlier.request.parameters):
                return (earlier.finished_at - earlier.requested_at).total_seconds()
    return None
