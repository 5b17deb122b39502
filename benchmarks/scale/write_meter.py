"""How fast DynamoDB takes writes: one token bucket a partition key, one a table, one an index.

A write that finds its bucket empty waits: the project's transport tries a throttled write again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from benchmarks.scale.setting import PARTITION_WRITES_PER_S

BURST_S = 0.1  # capacity that a bucket keeps while nothing is written: DynamoDB keeps more, if it can
TABLE, INDEX = "table", "index"
Writes = Mapping[str, int]  # write units by partition, as in `scan/<scan id>` or `index scans`


def kind_of(partition: str) -> str:
    """`scan/…` of `scan/abc`: what the partitions of many scans have in common."""
    prefix, slash, _ = partition.partition("/")
    return f"{prefix}/…" if slash else partition


class WriteMeter:
    """Admits writes, and remembers the busiest second and what was waited for."""

    def __init__(self, table_writes_per_s: float) -> None:
        self._table_rate = table_writes_per_s
        self._free_at: defaultdict[str, float] = defaultdict(lambda: float("-inf"))
        self._seconds: defaultdict[int, Counter[str]] = defaultdict(Counter)  # not over yet
        self._counted_to = 0
        self.peak = 0  # write units of the table in its busiest second
        self.partition_peak = 0
        self.partition_kind = ""
        self.waited_s: defaultdict[str, float] = defaultdict(float)  # by what made a write wait

    def admit(self, writes: Writes, now: float) -> float:
        """When all of the writes have been taken."""
        admitted_at, slowest = now, ""
        for partition, units in writes.items():
            space = INDEX if partition.startswith(INDEX) else TABLE
            by_partition = self._take(partition, units / PARTITION_WRITES_PER_S, now)
            by_space = self._take(space, units / self._table_rate, now)
            self._count(space, partition, units, max(now, by_partition, by_space))
            if by_partition > admitted_at:
                admitted_at, slowest = by_partition, f"partition {kind_of(partition)}"
            if by_space > admitted_at:
                admitted_at, slowest = by_space, f"{space} writes"
        if slowest:
            self.waited_s[slowest] += admitted_at - now
        if int(now) > self._counted_to:
            self._counted_to = int(now)
            self._finish_seconds(self._counted_to)
        return admitted_at

    def _take(self, bucket: str, duration_s: float, now: float) -> float:
        self._free_at[bucket] = max(self._free_at[bucket], now - BURST_S) + duration_s
        return self._free_at[bucket]

    def _count(self, space: str, partition: str, units: int, at: float) -> None:
        second = self._seconds[int(at)]
        second[partition] += units
        second[space] += units

    def _finish_seconds(self, before: int) -> None:
        for second in [second for second in self._seconds if second < before]:
            self._note_peaks(self._seconds.pop(second))

    def _note_peaks(self, units: Counter[str]) -> None:
        self.peak = max(self.peak, units.pop(TABLE, 0))
        units.pop(INDEX, 0)
        if units:
            partition, busiest = units.most_common(1)[0]
            if busiest > self.partition_peak:
                self.partition_peak, self.partition_kind = busiest, kind_of(partition)

    def finish(self) -> None:
        """Count the seconds that are still open."""
        self._finish_seconds(max(self._seconds, default=0) + 1)
