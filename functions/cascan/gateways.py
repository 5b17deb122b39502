"""Protocols for what lies outside: the work takes them as arguments, `cascan.aws` and `tests/fakes.py` provide them.

Every method may raise GatewayUnavailable; a partial answer is one. Every write may be repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Protocol

from cascan.events import BusEvent, ShardQueued
from cascan.ids import ReportKey
from cascan.model.agenda import AgendaEntry, Switch
from cascan.model.cascade import Asked, CascadeLine, CascadeRecord, Reservation, Spent, StoredChild, StoredRule
from cascan.model.finding import Finding, FindingLine
from cascan.model.inventory import Change, HostRecord, HostUpdate, Sighting, Sought
from cascan.model.scan import Counts, Outcome, Scan, ScanBrief, ScanState
from cascan.model.schedule import Result, ScanTypes, ScheduledRun, ScheduleStatus, StoredSchedule
from cascan.model.shard import Cut, Lane, NmapRun, Progress, Return, Shard, ShardClosing, ShardState
from cascan.nmap.intervals import Interval
from cascan.severity import StoredRules


class Inventory(Protocol):
    """What is known of addresses, and what each report changed. Part of ScanTable."""

    def known_hosts(self, addresses: Iterable[str]) -> dict[str, HostRecord]:
        """The records of these addresses, read consistently; an address without one is left out."""

    def save_hosts(self, source: ReportKey, updates: Iterable[HostUpdate]) -> list[str]:
        """Store each record with its changes, which are the report's from then on; or neither.

        The addresses of which nothing was stored: somebody else changed the record since it was read.
        """

    def known_addresses(self, family: int, low: int, high: int) -> Iterator[str]:
        """Addresses from `low` to `high` that have a record, in order."""

    def hosts(self, sought: Sought) -> Iterator[HostRecord]:
        """The records that fit, IPv4 first, in order of their address."""

    def note_asked(self, family: int, intervals: Iterable[Interval], asked: Sighting) -> None:
        """Every address in the intervals was asked; an older note than the one that stands changes nothing."""

    def asked(self, family: int, low: int, high: int) -> Iterator[tuple[Interval, Sighting]]:
        """The notes that touch `low` to `high`."""

    def changes(self, scan_id: str, shard: int) -> Iterator[Change]:
        """What the shard's reports changed, by address; in the same order each time."""


class ScanTable(Inventory, Protocol):
    """Scans, shards, findings and the inventory. Every transition is a conditional write."""

    def create_scan(self, scan: Scan) -> bool:
        """False: a scan of this id exists, and stays as it is."""

    def get_scan(self, scan_id: str) -> Scan | None:
        """The scan, read consistently."""

    def list_scans(self, limit: int) -> Iterator[Scan]:
        """Newest first."""

    def advance_scan(self, scan_id: str, to: ScanState, *, frm: Iterable[ScanState]) -> bool:
        """Move the scan on. False: it was not in one of the states `frm`."""

    def close_scan(self, scan_id: str, to: ScanState, outcome: Outcome, at: datetime, error: str = "") -> bool:
        """End the scan: it has no open shard left. False: an earlier delivery did it.

        A scan that is Cancelled already, and has no outcome yet, is given it.
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

    # ---- shards: life_cycle.py says which move is made when; None or False: the condition did not hold

    def add_shards(self, shards: Iterable[Shard]) -> None:
        """Store shards that are not there yet; one that is stays as it is."""

    def shards(self, scan_id: str) -> Iterator[Shard]:
        """In order of their number."""

    def shards_in(self, scan_id: str, state: ShardState) -> Iterator[Shard]:
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

    def cut_shard(self, scan_id: str, number: int, attempt: int, cut: Cut) -> Shard | None:
        """running → reported, with what is done; the rest becomes a new shard. Both, and the scan's counts, or nothing.

        The new shard, which its maker tells the queue of when it is queued. None: the shard is not this attempt's any
        more. A repeat is told None too: the shard's `remainder` is the number of the new one.
        """

    def return_shard(self, scan_id: str, number: int, attempt: int, back: Return) -> Shard | None:
        """running → queued or waiting, without a holder. The shard as it stands then."""

    def close_shard(self, scan_id: str, number: int, closing: ShardClosing) -> bool:
        """Close the shard and count it in its scan, in one transaction. False: it was closed already."""

    # ---- the house: what is due, and the switch

    def plan_at(self, entry: AgendaEntry) -> None:
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


class RuleTable(Protocol):
    """Cascading rules, every version of them."""

    def put_rule(self, name: str, document: Mapping[str, Any]) -> StoredRule:
        """Store the document as the rule's next version; the one that stands, if it is the same."""

    def rules(self) -> Iterator[StoredRule]:
        """The latest version of each that is not deleted, in order of their names."""

    def rule(self, name: str, version: int) -> StoredRule | None:
        """A version of the rule, also of a deleted one."""

    def delete_rule(self, name: str) -> bool:
        """False: there is none. Its versions stay, for scans that began with them."""


class CascadeTable(Protocol):
    """What followed a scan, and what a root scan has spent on all that followed it."""

    def begin_cascade(self, scan_id: str, rules: Mapping[str, int]) -> CascadeRecord:
        """Fix the rules, by name and version. The record as it stands: an earlier delivery may have fixed others."""

    def cascade(self, scan_id: str) -> CascadeRecord | None:
        """What was decided about the scan's findings, read consistently."""

    def spent(self, root_scan: str) -> Spent:
        """What is reserved below the root scan, read consistently."""

    def asked(self, root_scan: str) -> Iterator[Asked]:
        """What was asked for below the root scan, read consistently."""

    def reserve_child(self, scan_id: str, root_scan: str, child: StoredChild, most: Spent) -> Reservation:
        """Store the child, and count it in the root scan's budget `most`, in one transaction; one that is there stays.

        Nothing is written where the budget does not hold it, or another scan below the root has one of its key.
        """

    def cascade_children(self, scan_id: str) -> Iterator[StoredChild]:
        """In order of their keys, read consistently."""

    def mark_sent(self, scan_id: str, key: str) -> None:
        """The child's request is on its way."""

    def end_cascade(self, scan_id: str, lines: Sequence[CascadeLine]) -> None:
        """All children are reserved; the lines say why there are no more."""


class ScheduleTable(Protocol):
    """Scheduled scans: their manifests, what became of their times, and the scans they asked for."""

    def put_schedule(self, name: str, document: Mapping[str, Any]) -> StoredSchedule:
        """Store the manifest over the one that stands; that one, if it is the same. Intervals go on from the first."""

    def schedule(self, name: str) -> StoredSchedule | None:
        """The manifest, read consistently."""

    def schedules(self) -> Iterator[StoredSchedule]:
        """In order of their names."""

    def delete_schedule(self, name: str) -> bool:
        """Remove the manifest, its status and its runs; not its scans. False: there is none."""

    def scan_types(self) -> ScanTypes | None:
        """What was last seen of the scan types, read consistently; None: nothing yet."""

    def put_scan_types(self, scan_types: ScanTypes) -> bool:
        """Store them over their version before. False: another version is there."""

    def note_due(self, name: str, due_at: datetime) -> bool:
        """The schedule was due. False: a later time of it was noted before."""

    def note_result(self, name: str, result: Result) -> None:
        """A scan of it succeeded; an older one than the one that stands changes nothing."""

    def status(self, name: str) -> ScheduleStatus:
        """What became of its times."""

    def add_run(self, run: ScheduledRun) -> ScheduledRun:
        """The run of this time as it stands: an earlier delivery's, if there was one."""

    def runs(self, name: str) -> Iterator[ScheduledRun]:
        """By the time they were due, the oldest first."""

    def end_run(self, run: ScheduledRun) -> None:
        """Its scan is over, and was removed or is about to be."""

    def forget_run(self, run: ScheduledRun) -> None:
        """Remove it; also one that is not there."""


class RequestQueue(Protocol):
    def send(self, body: str, *, delay_s: int = 0) -> str:
        """Queue a scan request, to be received after `delay_s` seconds; the message's id."""


class ReportStore(Protocol):
    """The bucket: what nmap wrote, and what was made of it."""

    def put_report(self, key: ReportKey, path: Path, metadata: Mapping[str, str]) -> None:
        """Store a report byte for byte."""

    def open_report(self, key: ReportKey) -> IO[bytes]:
        """A stream of the report. Raises: MalformedMessage: there is none under this key."""

    def report_keys(self, scan_id: str) -> Iterator[ReportKey]:
        """The scan's reports, in order of shard and attempt."""

    def put_record(self, scan_id: str, name: str, body: Iterable[bytes]) -> None:
        """Keep what a rebuild needs of the scan, in pieces of any size; over what has the name."""

    def open_record(self, scan_id: str, name: str) -> IO[bytes] | None:
        """A stream of the record; None: there is none of this name."""

    def records(self, scan_id: str) -> Iterator[str]:
        """The names of the scan's records, in order."""

    def recorded_scans(self) -> Iterator[str]:
        """Every scan that has records, in order of their ids."""

    def remove_scan(self, scan_id: str, most: int) -> bool:
        """Remove every version of the scan's reports, results, records. False: after `most`, some are left."""

    def put_result(self, scan_id: str, name: str, body: Iterable[bytes], content_type: str) -> None:
        """Publish a result of the scan, in pieces of any size. One that breaks off leaves what was there before."""


class EventBus(Protocol):
    def put(self, events: Iterable[BusEvent]) -> None:
        """Put every event on the bus, or raise."""


class ShardQueues(Protocol):
    """The queues that workers drain, one a lane."""

    def send(self, lane: Lane, messages: Iterable[ShardQueued], *, delay_s: int = 0) -> None:
        """Queue every message, to be received after `delay_s` seconds, or raise."""

    def give_up(self, lane: Lane, message: ShardQueued) -> None:
        """Put a message where those of the lane go that are out of attempts."""

    def waiting(self, lane: Lane) -> int:
        """Messages that no worker has received; approximate, as SQS counts."""


@dataclass(frozen=True, slots=True)
class Received:
    """One message of a shard queue, hidden from others for a while."""

    body: str
    receipt: str  # of this delivery
    message_id: str  # of every delivery of the message
    deliveries: int = 1  # so far, this one included; approximate, as SQS counts


class ShardSource(Protocol):
    """A worker's end of its shard queue."""

    def receive(self, wait_s: int, hold_s: int) -> Received | None:
        """The next message, hidden from others for `hold_s` seconds; None after `wait_s` seconds without one."""

    def hold(self, received: Received, hold_s: int) -> None:
        """Hide the message for another `hold_s` seconds from now; 0 gives it back at once."""

    def delete(self, received: Received) -> None:
        """The message is done with."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What came of a launch: workers that start, and why others do not, one reason each."""

    started: int
    reasons: tuple[str, ...] = ()


class Fleet(Protocol):
    """The Fargate workers."""

    def running(self, lane: Lane) -> int:
        """Workers of the lane that run or start."""

    def launch(self, lane: Lane, count: int, token: str, *, spot: bool = True) -> Launch:
        """Start workers, on Spot first; the same token and lane start them once. `spot=False`: on demand."""


class Resolver(Protocol):
    def addresses(self, name: str, family: int) -> tuple[str, ...]:
        """The name's addresses of family 4 or 6, without repeats; empty when it has none."""
