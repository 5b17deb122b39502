"""The shards of scans."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Protocol

from cascan.model.shard import (
    NmapRun,
    Progress,
    ProposedCut,
    Shard,
    ShardClosing,
    ShardCut,
    ShardReturn,
    ShardState,
)


class HeldShards(Protocol):
    """What a worker may do: read, claim, keep and report the shards whose messages it received.

    `token`: of the shard, as its message has it. A worker cannot read the scan's secret, from which
    functions derive it; under another token there is no such shard.
    """

    def get_shard(self, scan_id: str, number: int, *, token: str = "") -> Shard | None:
        """The shard, read consistently. None: there is none."""

    def claim_shard(
        self,
        scan_id: str,
        number: int,
        *,
        worker: str,
        message_id: str,
        lease_until: datetime,
        now: datetime,
        token: str = "",
    ) -> Shard | None:
        """queued → running, or take the shard over from a worker that has lost it.

        A worker has lost the shard when its lease has ended, or when its message was delivered
        again. Then a failure is counted. None: the shard waits, is closed, or another worker
        holds it.
        """

    def beat(
        self,
        scan_id: str,
        number: int,
        attempt: int,
        *,
        lease_until: datetime,
        progress: Progress | None = None,
        token: str = "",
    ) -> bool:
        """Extend the lease. False: this attempt no longer holds the shard.

        The worker then has to stop nmap.
        """

    def report_shard(
        self,
        scan_id: str,
        number: int,
        attempt: int,
        run: NmapRun,
        cut: ProposedCut | None = None,
        *,
        token: str = "",
    ) -> bool:
        """running → reported, with the run, and with what is to be cut off.

        False: this attempt no longer holds the shard.
        """


class Shards(HeldShards, Protocol):
    """Shards. Every transition is a conditional write that also updates the scan's counters.

    `cascan.scans.transitions` lists the states from which each move is allowed. None or False: the
    condition did not hold.
    """

    def add_shards(self, shards: Iterable[Shard]) -> None:
        """Store the shards. One that is already stored stays as it is."""

    def shards(self, scan_id: str) -> Iterator[Shard]:
        """All shards of the scan, in order of their number."""

    def list_shards_in(self, scan_id: str, state: ShardState) -> Iterator[Shard]:
        """The scan's shards in this state, in order of their number.

        Waiting shards are found in an index, without reading the others; the index lags a moment.
        """

    def release_shard(self, scan_id: str, number: int) -> bool:
        """waiting → queued, if fewer than `parallel` shards of the scan are in flight.

        The caller has sent the shard's message before.
        """

    def hold_shard(self, scan_id: str, number: int) -> bool:
        """queued → waiting. The caller deletes the shard's message afterwards."""

    def cut_shard(self, scan_id: str, number: int, attempt: int, cut: ShardCut) -> Shard | None:
        """Reduce a reported shard to its finished part; the remainder becomes a new shard.

        One transaction writes both, and the scan's counters. Returns the remainder; if it is
        queued, the caller sends its message. None: no cut is proposed, the shard has moved on, or
        this call was made before; then its `remainder` is the number of the new shard.
        """

    def move_shard(self, scan_id: str, number: int) -> str:
        """Give a shard that an earlier version stored the key that a worker of this version needs.

        No worker may hold it. Returns its token, also where it has been moved before. Empty: there
        is no such shard, or it is being changed.
        """

    def find_moved_token(self, scan_id: str, number: int) -> str:
        """The token of a shard that was moved. Empty: it was not."""

    def return_shard(
        self,
        scan_id: str,
        number: int,
        attempt: int,
        back: ShardReturn,
    ) -> Shard | None:
        """running → queued or waiting; no worker holds it any more. Returns the changed shard."""

    def close_shard(self, scan_id: str, number: int, closing: ShardClosing) -> bool:
        """Close the shard and count it in its scan. False: it was closed already."""

    def close_shards(self, scan_id: str, shards: Iterable[Shard], closing: ShardClosing) -> int:
        """Close many shards of one scan in each transaction. Returns how many were closed.

        The scan's usage grows by what each shard has used, whatever `closing` says.

        A shard that has moved since it was read may stay open. `closing` may not have findings.
        """

    def count_addresses(
        self,
        scan_id: str,
        number: int,
        addresses: Collection[str],
    ) -> frozenset[str]:
        """Count the addresses of the shard's names in their scan.

        Returns the addresses that another shard has counted before. A repeat returns the same.
        """
