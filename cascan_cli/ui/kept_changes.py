"""The changes of ended scans, which stay as they are: a console reads those of a shard once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING

from cascan.limits import MAX_CONSOLE_CHANGES, MAX_CONSOLE_ROWS
from cascan.model.scan import FINAL_STATES
from cascan.queries.recorded_changes import ShardOfScan, list_changed_shards

if TYPE_CHECKING:
    from cascan.gateways import Inventory
    from cascan.model.inventory import Change
    from cascan.model.scan import Scan
    from cascan_cli.ui.readers import Readers

Key = tuple[str, int, datetime | None]  # scan, shard, when the scan ended


class KeptChanges:
    """`most`: how many changes, and of how many shards. Beyond that, those that were read first are forgotten."""

    def __init__(self, most: int = MAX_CONSOLE_CHANGES) -> None:
        self._most, self._count, self._lock = most, 0, Lock()
        self._kept: dict[Key, Sequence[Change]] = {}

    def list_changes(
        self, scans: Iterable[Scan], table: Inventory, readers: Readers, most_shards: int
    ) -> Iterator[tuple[Scan, Change]]:
        """As `recorded_changes.list_changes`, with the shards read side by side."""
        shards = list(islice(list_changed_shards(scans), most_shards))
        read = readers.map(lambda shard: self._read(shard, table), shards)
        for (scan, _), changes in zip(shards, read, strict=True):
            yield from ((scan, change) for change in changes)

    def _read(self, shard: ShardOfScan, table: Inventory) -> Sequence[Change]:
        """Those that a list can show."""
        scan, number = shard
        key = scan.scan_id, number, scan.finished_at
        with self._lock:
            if key in self._kept:
                return self._kept[key]
        recorded = (change for change in table.changes(scan.scan_id, number) if not change.is_baseline)
        changes = list(islice(recorded, MAX_CONSOLE_ROWS + 1))
        if scan.state in FINAL_STATES:
            self._keep(key, changes)
        return changes

    def _keep(self, key: Key, changes: Sequence[Change]) -> None:
        with self._lock:
            self._count += len(changes) - len(self._kept.pop(key, ()))
            self._kept[key] = changes
            while max(self._count, len(self._kept)) > self._most:  # a shard may have none
                self._count -= len(self._kept.pop(next(iter(self._kept))))
