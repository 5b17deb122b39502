"""How far a scan is, and how long it may still take, as far as there is something to tell it from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from cascan.findings.ports import OPEN_PORT
from cascan.gateways import Scans, Shards
from cascan.limits import MAX_LIVE_SHARDS, MAX_SCANS_LOOKED_FOR
from cascan.model.scan import Scan, ScanState
from cascan.model.shard import Progress, Shard, ShardState
from cascan.queries.since_last_scan import list_earlier_scans

MIN_SHARDS_DONE = 2  # before their pace says anything of the others
MIN_SHARE_DONE = 0.05
MIN_PERCENT_SEEN = 5  # that a task of nmap advanced while it was watched
MIN_SECONDS_SEEN = 2.0


class TimeLeft(NamedTuple):
    seconds: float
    basis: str  # `shards`: their pace; `last scan`: the same request before; else the task of nmap that it is about


class LiveShards(NamedTuple):
    """What the shards of a scan report while it runs."""

    running: Sequence[Progress] = ()  # of each running nmap that has reported progress
    addresses_done: int | None = None  # None: there are too many shards to read
    hosts_up: int = 0  # in reports that are not recorded yet
    open_ports: int = 0  # in those, too


class HostCounts(NamedTuple):
    """Of reports that are recorded, and of the finished hosts in those that nmap is writing."""

    addresses_done: int | None  # None: it is not known
    addresses: int
    hosts_up: int
    open_ports: int


class ScanProgress(NamedTuple):
    elapsed_s: float
    percent: int | None  # of the shards that are done; None: there is one alone
    shards_done: int
    hosts: HostCounts
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


def read_live_shards(scan: Scan, table: Shards) -> LiveShards:
    """Read the shards of a scan that runs, if there are at most MAX_LIVE_SHARDS."""
    if scan.shards > MAX_LIVE_SHARDS or not scan.shards_in_flight or scan.members:
        return LiveShards()
    return summarize_shards(table.shards(scan.scan_id))


def summarize_shards(shards: Iterable[Shard]) -> LiveShards:
    """Of all shards of a scan."""
    running: list[Progress] = []
    done = hosts_up = open_ports = 0
    for shard in shards:
        done += _count_done(shard)
        if shard.progress and shard.state in (ShardState.RUNNING, ShardState.REPORTED):
            hosts_up += shard.progress.hosts_up
            open_ports += shard.progress.open_ports
            if shard.state is ShardState.RUNNING:
                running.append(shard.progress)
    return LiveShards(running, done, hosts_up, open_ports)


def _count_done(shard: Shard) -> int:
    """How many addresses of the shard are done, at least."""
    if shard.state in (ShardState.REPORTED, ShardState.RECORDED) and shard.run and not shard.cut:
        return shard.run.addresses
    if shard.state in (ShardState.RUNNING, ShardState.REPORTED) and shard.progress:
        return shard.progress.addresses_done or shard.progress.hosts_done
    return 0


def count_hosts(scan: Scan, live: LiveShards) -> HostCounts:
    if scan.shards and not scan.shards_open:  # what was read of its shards is old
        live = LiveShards(addresses_done=scan.total_addresses)
    return HostCounts(
        # A name counts as one address until a report says how many it has
        addresses_done=live.addresses_done and min(live.addresses_done, scan.total_addresses),
        addresses=scan.total_addresses,
        hosts_up=scan.hosts_up + live.hosts_up,
        open_ports=scan.findings.categories.get(OPEN_PORT, 0) + live.open_ports,
    )


def measure_progress(
    scan: Scan,
    live: LiveShards,
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
            left = pace.estimate(live.running, elapsed_s)
    return ScanProgress(
        elapsed_s=elapsed_s,
        percent=int(100 * share) if scan.shards > 1 else None,
        shards_done=done,
        hosts=count_hosts(scan, live),
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
