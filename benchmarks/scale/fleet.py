"""A fleet within Fargate's quotas: launches a second, and vCPUs, of On-Demand and of Spot apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from benchmarks.scale.setting import LAUNCH_BURST, LAUNCHES_PER_S, Setting
from cascan.aws.fleet import MAX_TASKS
from cascan.gateways import Launch
from cascan.model.shard import Lane

SPOT, ON_DEMAND = "Spot", "On-Demand"
CALL_S = 0.2  # of RunTask
LAUNCHER_TIMEOUT_S = 60.0  # of OnShardsWaiting
VCPU_QUOTA, LAUNCH_RATE = "the vCPU quota", "the launch rate"


class LaunchBucket:
    """Fargate's token bucket of launches."""

    def __init__(self) -> None:
        self._tokens, self._at = float(LAUNCH_BURST), 0.0

    def take(self, count: int, now: float) -> float:
        """When so many launches are allowed: botocore tries a throttled RunTask again."""
        start = max(now, self._at)
        self._tokens = min(LAUNCH_BURST, self._tokens + (start - self._at) * LAUNCHES_PER_S)
        wait_s = max(0.0, (count - self._tokens) / LAUNCHES_PER_S)
        self._at = start + wait_s
        self._tokens += wait_s * LAUNCHES_PER_S - count
        return self._at


class QuotaFleet:
    """Fleet: up to ten tasks a call, Spot first, as EcsFleet does it.

    `start`: called for each worker, with its lane, its provider and the time of its launch.
    """

    def __init__(
        self,
        setting: Setting,
        clock: Callable[[], float],
        start: Callable[[Lane, str, float], None],
    ) -> None:
        self._clock, self._start = clock, start
        self._most_of_one_kind = int(setting.vcpu_quota / setting.worker_vcpu)
        self._buckets = {SPOT: LaunchBucket(), ON_DEMAND: LaunchBucket()}
        self.by_lane: Counter[Lane] = Counter()
        self.by_provider: Counter[str] = Counter()
        self.most = 0  # workers at once
        self.refused_by = ""  # what kept the last launch from starting all workers

    @property
    def size(self) -> int:
        return sum(self.by_lane.values())

    def running(self, lane: Lane) -> int:
        return self.by_lane[lane]

    def launch(self, lane: Lane, count: int, token: str, *, spot: bool = True) -> Launch:
        started, self.refused_by = 0, ""
        began_at = at = self._clock()
        exhausted = set[str]()
        for first in range(0, count, MAX_TASKS):
            missing = min(MAX_TASKS, count - first)
            for provider in (SPOT, ON_DEMAND) if spot else (ON_DEMAND,):
                if missing <= 0 or provider in exhausted:
                    continue
                tasks = min(missing, self._most_of_one_kind - self.by_provider[provider])
                at = self._buckets[provider].take(tasks, at + CALL_S)
                if at - began_at > LAUNCHER_TIMEOUT_S:  # the next tick asks for the others
                    self.refused_by = LAUNCH_RATE
                    return Launch(started, (LAUNCH_RATE,))
                self._add(lane, provider, tasks, at)
                started, missing = started + tasks, missing - tasks
                if not tasks:
                    exhausted.add(provider)
        if started < count:
            self.refused_by = VCPU_QUOTA
        return Launch(started, (self.refused_by,) if self.refused_by else ())

    def _add(self, lane: Lane, provider: str, tasks: int, at: float) -> None:
        self.by_lane[lane] += tasks
        self.by_provider[provider] += tasks
        self.most = max(self.most, self.size)
        for _ in range(tasks):
            self._start(lane, provider, at)

    def stop(self, lane: Lane, provider: str) -> None:
        self.by_lane[lane] -= 1
        self.by_provider[provider] -= 1
