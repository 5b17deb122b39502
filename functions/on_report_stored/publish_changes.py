"""Publish the stored changes of a shard: all are counted, and the first of them announced one by
one.

The events are made from what the table holds, never from judging the report, so a repeat publishes
the same events under the same ids. Publishing hundreds of thousands of changes may take longer than
the function may run: then another turn continues, as for reading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

from msgspec.structs import asdict

from cascan.events import BusEvent, ChangeCounts, build_change_event
from cascan.gateways import EventBus
from cascan.limits import MAX_CHANGE_EVENTS_PER_REPORT
from cascan.model.inventory import Change
from cascan.model.recording import Place, PublishedChanges, Recording
from cascan.model.scan import Scan
from on_report_stored.checkpoints import RecordingStatus, RecordingTurn
from on_report_stored.report_summary import ReportSummary

CHANGES_PER_BATCH = 1_000  # at least; then the clock is looked at


@dataclass
class ChangeAnnouncer:
    """Changes as events."""

    scan: Scan
    shard: int
    source: str  # the report's key
    cause_id: str
    counts: Counter[str] = field(default_factory=Counter)
    baseline: Counter[str] = field(default_factory=Counter)
    # To be put on the bus with the events of the shard's end
    pending: list[BusEvent] = field(default_factory=list)

    def build_events(self, changes: Iterable[Change]) -> Iterator[BusEvent]:
        """The same events for the same changes, in the same order. First observations are only
        counted.
        """
        for change in changes:
            if change.is_baseline:
                self.baseline[change.kind.value] += 1
                continue
            self.counts[change.kind.value] += 1
            if self.counts.total() <= MAX_CHANGE_EVENTS_PER_REPORT:
                yield build_change_event(self.scan, self.shard, self.source, change, self.cause_id)

    def sum_changes(self) -> ChangeCounts:
        announced = min(self.counts.total(), MAX_CHANGE_EVENTS_PER_REPORT)
        return ChangeCounts(
            kinds=dict(self.counts),
            baseline=dict(self.baseline),
            announced=announced,
        )

    def resume(self, published: PublishedChanges) -> None:
        """Count on from what earlier turns published."""
        self.counts, self.baseline = Counter(published.counts), Counter(published.baseline)

    def published_up_to(self, address: str) -> PublishedChanges:
        return PublishedChanges(
            after_address=address,
            counts=dict(self.counts),
            baseline=dict(self.baseline),
        )


def publish_changes(
    announcer: ChangeAnnouncer, bus: EventBus, turn: RecordingTurn, summary: ReportSummary
) -> RecordingStatus:
    """Publish every change of the shard, as far as there is time. Once DONE, `announcer.pending` is
    still to be put.
    """
    announcer.resume(turn.published)
    changes = turn.table.changes(
        announcer.scan.scan_id,
        announcer.shard,
        turn.published.after_address,
    )
    for address, batch in _batches(changes):
        announcer.pending += announcer.build_events(batch)
        if not turn.is_checkpoint_due:
            continue
        bus.put(announcer.pending)
        announcer.pending = []
        is_time_up = turn.is_time_up
        checkpoint = Recording(
            place=Place(offset=turn.size),
            end=summary.end,
            published=announcer.published_up_to(address),
            **asdict(summary.base),
        )
        if not turn.save_checkpoint(checkpoint, ends_turn=is_time_up):
            return RecordingStatus.SUPERSEDED
        if is_time_up and turn.may_publish_later:
            return RecordingStatus.CONTINUE
    return RecordingStatus.DONE


def _batches(changes: Iterable[Change]) -> Iterator[tuple[str, list[Change]]]:
    """The changes in lists, each with the address of its last change, of which it holds every
    change.
    """
    batch: list[Change] = []
    for address, changes_of_address in groupby(changes, key=lambda change: change.address):
        batch += changes_of_address
        if len(batch) >= CHANGES_PER_BATCH:
            yield address, batch
            batch = []
    if batch:
        yield batch[-1].address, batch
