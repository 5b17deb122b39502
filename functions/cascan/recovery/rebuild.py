"""Rebuild the table from the bucket: scans, shards, findings and the inventory.

Reports are recorded again by the function that first recorded them, in the order of their time, so
that the inventory becomes the same. A bus and queues that send nothing replace the real ones, so
that nothing is announced twice. Scans that had ended are ended again. The others are put on the
agenda: on_minute_passed sends the messages of their shards, or announces their end.

A scan that is in the table is newer than its records, and stays as it is. A scan that an
interrupted rebuild left behind is marked as announced although it has not ended; it is continued.
So a rebuild may be interrupted anywhere and repeated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cascan.clock import Clock
from cascan.errors import Rejected, UnreadableItem
from cascan.events import BusEvent, ReportStored, ShardQueued
from cascan.gateways import ReportStore, ScanGateways, ScanLifecycle
from cascan.ids import ReportKey
from cascan.model.agenda import AgendaEntry, AgendaTask
from cascan.model.reason import Reasons
from cascan.model.scan import FINAL_STATES, Outcome, Scan, ScanState
from cascan.model.shard import OPEN_STATES, Lane, ShardClosing, ShardState
from cascan.recovery.scan_history import ScanHistory, read_scan_history, reopen_scan
from cascan.scans.agenda import expiry_entry, initial_entries
from cascan.scans.close import settle_scan


class NoBus:
    """An EventBus that sends nothing, since all events were announced before."""

    def put(self, events: Iterable[BusEvent]) -> None:
        for _ in events:  # the iterator may count the events that are taken from it
            pass


class NoQueues:
    """ShardQueues that send nothing, since the agenda takes care of open shards."""

    def send(self, lane: Lane, messages: Iterable[ShardQueued], *, delay_s: int = 0, vantage: str = "") -> None: ...

    def held(self, lane: Lane) -> int:  # noqa: ARG002 - of the protocol
        return 0

    def waiting(self, lane: Lane) -> int:  # noqa: ARG002 - of the protocol
        return 0


class RecordReport(Protocol):
    """on_report_stored's record_findings, with all gateways but those of the scan bound."""

    def __call__(self, stored: ReportStored, gateways: ScanGateways) -> object: ...


@dataclass(slots=True)
class RebuildResult:
    """What a rebuild did."""

    scans: int = 0
    reports: int = 0
    open: int = 0  # scans that continue
    left: int = 0  # scans that the table already had
    unreadable: int = 0  # scans whose records cannot be read, and reports that cannot be read


def rebuild(
    *,
    table: ScanLifecycle,
    reports: ReportStore,
    record: RecordReport,
    clock: Clock,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> RebuildResult:
    """Put every scan that has records, and is not in the table, into the table.

    `tell`: called before each report, with the numbers of reports done and of all reports.
    """
    rebuilt = RebuildResult()
    scan_ids = reports.recorded_scans()
    begun = (_begin_scan(scan_id, table, reports, rebuilt, clock) for scan_id in scan_ids)
    histories = [history for history in begun if history]
    timeline = sorted(entry for history in histories for entry in history.reports())
    for number, (_, key, ended_at) in enumerate(timeline):
        tell(number, len(timeline))
        _record_again(key, record, _silent_gateways(table, ended_at), rebuilt)
    # A scan ends after its members, which are counted in it
    for history in sorted(histories, key=lambda history: bool(history.scan.members)):
        _end_scan(history, table, rebuilt, clock)
    return rebuilt


def _begin_scan(
    scan_id: str, table: ScanLifecycle, reports: ReportStore, rebuilt: RebuildResult, clock: Clock
) -> ScanHistory | None:
    """Put the scan and its shards into the table.

    Returns its history. None: nothing else has to be done for the scan.
    """
    try:
        existing = table.get_scan(scan_id)
    except UnreadableItem:  # the scan is in the table, and stays there
        rebuilt.unreadable += 1
        return None
    if existing and not _is_half_rebuilt(existing):
        rebuilt.left += 1
        if existing.shards_open:  # an earlier rebuild may have ended before it wrote the agenda
            table.add_to_agenda(AgendaEntry(clock(), scan_id, AgendaTask.LOOK))
        return None
    try:
        history = read_scan_history(scan_id, reports)
    except UnreadableItem:
        history = None
    if history is None:
        rebuilt.unreadable += 1
        return None
    rebuilt.scans += 1
    table.create_scan(reopen_scan(history))
    table.add_shards(history.shards)
    return history if history.shards or history.scan.members else None


def _is_half_rebuilt(scan: Scan) -> bool:
    """Whether a rebuild left the scan unfinished. Only a rebuild announces a scan before its end."""
    return scan.announced and (scan.state not in FINAL_STATES or scan.outcome is None)


def _silent_gateways(table: ScanLifecycle, now: datetime) -> ScanGateways:
    """The table, with queues and a bus that send nothing, at a time in the past."""
    return ScanGateways(table, NoQueues(), NoBus(), lambda: now)


def _record_again(
    key: ReportKey,
    record: RecordReport,
    gateways: ScanGateways,
    rebuilt: RebuildResult,
) -> None:
    try:
        record(ReportStored(str(key), "", 0, ""), gateways)
        rebuilt.reports += 1
    except Rejected:  # as when it was first recorded
        rebuilt.unreadable += 1


def _end_scan(
    history: ScanHistory,
    table: ScanLifecycle,
    rebuilt: RebuildResult,
    clock: Clock,
) -> None:
    """End the scan as it had ended before, or let it continue."""
    scan_id, end = history.scan.scan_id, history.end
    if end is None:
        rebuilt.open += 1
        _continue_scan(history, table, clock())
        return
    ended_at = end.finished_at or end.requested_at
    _close_open_shards(end, table)
    settle_scan(scan_id, _silent_gateways(table, ended_at), error=end.error_description)
    if end.state is ScanState.DONE:
        table.finish_scan(scan_id, end.findings)
    if entry := expiry_entry(end):
        table.add_to_agenda(entry)


def _close_open_shards(end: Scan, table: ScanLifecycle) -> None:
    """Close the shards without a report.

    They share the outcomes that the scan had counted and that no report accounts for.
    """
    scan = table.get_scan(end.scan_id)
    counted = Counter(scan.shard_outcomes) if scan else Counter[str]()
    outcomes = sorted((Counter(end.shard_outcomes) - counted).elements())
    state = ShardState.CANCELLED if end.state is ScanState.CANCELLED else ShardState.FAILED
    why = end.error_description or "it had ended without a report when the table was lost"
    for shard in list(table.shards(end.scan_id)):
        if shard.state in OPEN_STATES:
            reasons = (reason for reason in end.reasons.listed if reason.shard == shard.number)
            closing = ShardClosing(
                state=state,
                outcome=Outcome(outcomes.pop()) if outcomes else Outcome.FAILED,
                reasons=Reasons.of(reasons),
                error_description=why,
            )
            table.close_shard(end.scan_id, shard.number, closing)


def _continue_scan(history: ScanHistory, table: ScanLifecycle, now: datetime) -> None:
    scan = history.scan
    table.mark_announced(scan.scan_id, announced=False)
    for shard in history.shards[:1]:
        for entry in initial_entries(scan, shard.lane):
            table.add_to_agenda(entry)
    table.add_to_agenda(AgendaEntry(now, scan.scan_id, AgendaTask.LOOK))
