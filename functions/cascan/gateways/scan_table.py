"""Scans, their shards and findings, and what the whole stack keeps beside them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Protocol

from cascan.gateways.inventory import Inventory
from cascan.gateways.recordings import Recordings
from cascan.ids import ReportKey
from cascan.model.agenda import AgendaEntry, Switch
from cascan.model.finding import Finding, FindingLine
from cascan.model.reason import Reasons
from cascan.model.scan import NO_REASONS, Counts, Outcome, Scan, ScanBrief, ScanState
from cascan.model.shard import NmapRun, Progress, Shard, ShardClosing, ShardCut, ShardReturn, ShardState
from cascan.rules.severity import StoredRules


class ScanTable(Inventory, Recordings, Protocol):
    """Scans, shards, findings and the inventory. Every transition is a conditional write."""

    def create_scan(self, scan: Scan) -> bool:
        """False: a scan of this id exists, and stays as it is."""

    def get_scan(self, scan_id: str) -> Scan | None:
        """The scan, read consistently."""

    def list_scans(self, limit: int) -> Iterator[Scan]:
        """Newest first."""

    def advance_scan(self, scan_id: str, to: ScanState, *, expected: Iterable[ScanState], why: str = "") -> bool:
        """Move the scan from one of the states `expected` to `to`, with `why` as its error description.

        False: it was in another state.
        """

    def close_scan(
        self,
        scan_id: str,
        to: ScanState,
        outcome: Outcome,
        at: datetime,
        error: str = "",
        *,
        reasons: Reasons = NO_REASONS,
    ) -> bool:
        """End the scan: it has no open shard left. `reasons`: why the outcome is not complete.

        False: an earlier delivery did it. A scan that is Cancelled already, and has no outcome yet, is given it.
        """

    def mark_announced(self, scan_id: str, *, announced: bool = True) -> None:
        """The scan's end is on the bus; or, of one that was rebuilt and goes on, it is not."""

    def finish_scan(self, scan_id: str, counts: Counts) -> bool:
        """HookProcessing → Done, with the findings as counted from the table. False: it was done already."""

    def scan_brief(self, scan_id: str) -> ScanBrief | None:
        """The few words of a scan that say whether its shards may run now, read consistently, however long it is."""

    def remove_scan(self, scan_id: str, most: int) -> bool:
        """Remove the scan with its shards, findings and changes, the scan itself last; not the inventory.

        False: `most` items were removed, and some are left.
        """

    # ---- shards: transitions.py says which move is made when; None or False: the condition did not hold

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
        """Extend the lease. False: the shard is not this attempt's any more; whatever runs for it must stop."""

    def report_shard(self, scan_id: str, number: int, attempt: int, run: NmapRun) -> bool:
        """running → reported, with what the run did. False: the shard is not this attempt's any more."""

    def cut_shard(self, scan_id: str, number: int, attempt: int, cut: ShardCut) -> Shard | None:
        """running → reported, with what is done; the rest becomes a new shard. Both, and the scan's counts, or nothing.

        The new shard, which its maker tells the queue of when it is queued. None: the shard is not this attempt's any
        more. A repeat is told None too: the shard's `remainder` is the number of the new one.
        """

    def return_shard(self, scan_id: str, number: int, attempt: int, back: ShardReturn) -> Shard | None:
        """running → queued or waiting, without a holder. The shard as it stands then."""

    def close_shard(self, scan_id: str, number: int, closing: ShardClosing) -> bool:
        """Close the shard and count it in its scan, in one transaction. False: it was closed already."""

    def close_shards(self, scan_id: str, shards: Iterable[Shard], closing: ShardClosing) -> int:
        """Close shards of one scan, as they were read, many in one transaction; how many.

        One that has moved since it was read may stay open; `closing` brings no findings.
        """

    def count_addresses(self, scan_id: str, number: int, addresses: Collection[str]) -> frozenset[str]:
        """Count the addresses of the shard's names in their scan. Those that another shard has counted already.

        A repeat of the same shard is told the same.
        """

    # ---- the house: what is due, and the switch

    def add_to_agenda(self, entry: AgendaEntry) -> None:
        """Put on the agenda; a repeat is one entry."""

    def due(self, now: datetime, limit: int) -> Iterator[AgendaEntry]:
        """At most `limit` entries whose time has come, the oldest first."""

    def done(self, entry: AgendaEntry) -> None:
        """Take off the agenda; also one that is not there."""

    def switch(self) -> Switch | None:
        """Why nothing is scanned at all; None: the stack runs."""

    def halt(self, switch: Switch) -> None:
        """Nothing is scanned until `lift`."""

    def lift(self) -> None:
        """The stack runs again."""

    # ---- the operator's rules

    def severity_rules(self) -> StoredRules | None:
        """The rules on findings, read consistently; None: there are none."""

    def put_severity_rules(self, stored: StoredRules) -> bool:
        """Store them over version `stored.version - 1`. False: another version is there."""

    # ---- findings and inventory

    def put_findings(
        self, scan_id: str, findings: Iterable[Finding | FindingLine], source: ReportKey | None = None
    ) -> None:
        """Keyed by the finding's id: a repeat rewrites the same items. One beyond MAX_FINDING_BYTES is cut down, and
        says that `source` has the whole of it.
        """

    def findings(self, scan_id: str) -> Iterator[Finding]:
        """In order of their id."""
