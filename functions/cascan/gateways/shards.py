"""The shards of scans."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Protocol

from cascan.model.shard import NmapRun, Progress, Shard, ShardClosing, ShardCut, ShardReturn, ShardState


class Shards(Protocol):
    """Shards. Every transition is a conditional write, which also counts it in the scan.

    `cascan.scans.transitions` says which move is made from which states. None or False: the condition did not hold.
    """

    def add_shards(self, shards: Iterable[Shard]) -> None:
        """Store shards that are not there yet; one that is stays as it is."""

    def shards(self, scan_id: str) -> Iterator[Shard]:
        """In order of their number."""

    def list_shards_in(self, scan_id: str, state: ShardState) -> Iterator[Shard]:
        """In order of their number; those that wait are found without reading the others, a moment late."""

    def get_shard(self, scan_id: str, number: int) -> Shard | None:
        """The shard, read consistently."""

    def release_shard(self, scan_id: str, number: int) -> bool:
        """waiting → queued, while fewer than `parallel` of its scan are in flight. Its message was sent before."""

    def hold_shard(self, scan_id: str, number: int) -> bool:
        """queued → waiting. Its message is deleted afterwards."""

    def claim_shard(
        self, scan_id: str, number: int, *, worker: str, message_id: str, lease_until: datetime, now: datetime
    ) -> Shard | None:
        """queued → running; or from a holder whose lease ran out, or whose message came again, with one failure more.

        None: the shard waits, is closed, or somebody else holds it.
        """

    def beat(
        self, scan_id: str, number: int, attempt: int, *, lease_until: datetime, progress: Progress | None = None
    ) -> bool:
        """Extend the lease. False: the shard is no longer this attempt's, whose process must stop."""

    def report_shard(self, scan_id: str, number: int, attempt: int, run: NmapRun) -> bool:
        """running → reported, with what the run did. False: the shard is no longer this attempt's."""

    def cut_shard(self, scan_id: str, number: int, attempt: int, cut: ShardCut) -> Shard | None:
        """running → reported, with what is done; the rest becomes a new shard. Both, and the scan's counts, or nothing.

        Returns the new shard, whose message the caller sends if it is queued. None: the shard is no longer this
        attempt's, also after a repeat: then the shard's `remainder` is the number of the new one.
        """

    def return_shard(self, scan_id: str, number: int, attempt: int, back: ShardReturn) -> Shard | None:
        """running → queued or waiting, without a holder. Returns the shard afterwards."""

    def close_shard(self, scan_id: str, number: int, closing: ShardClosing) -> bool:
        """Close the shard and count it in its scan, in one transaction. False: it was closed already."""

    def close_shards(self, scan_id: str, shards: Iterable[Shard], closing: ShardClosing) -> int:
        """Close shards of one scan, as they were read, many in one transaction; how many.

        One that has moved since it was read may stay open; `closing` brings no findings.
        """

    def count_addresses(self, scan_id: str, number: int, addresses: Collection[str]) -> frozenset[str]:
        """Count the addresses of the shard's names in their scan. Returns those that another shard counted before.

        A repeat for the same shard returns the same.
        """
