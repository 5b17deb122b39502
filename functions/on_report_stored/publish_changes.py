"""The stored changes of a shard, told: counted, and the first of them announced one by one.

Made from what the table holds, never from the judging, so a repeat tells the same under the same ids. Of hundreds of
thousands the telling may take longer than the function may run: then it goes on with another turn, as the reading does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

from cascan.events import BusEvent, ChangeCounts, build_change_event
from cascan.gateways import EventBus
from cascan.limits import MAX_CHANGE_EVENTS_PER_REPORT
from cascan.model.inventory import Change
from cascan.model.recording import PublishedChanges
from cascan.model.scan import Scan
from on_report_stored.checkpoints import RecordingPass, RecordingStatus
from on_report_stored.report_summary import ReportSummary

ENOUGH_CHANGES = 1_000  # to look at the clock


@dataclass
class ChangeAnnouncer:
    """Changes as events."""

    scan: Scan
    shard: int
    source: str  # the report's key
    cause_id: str
    counts: Counter[str] = field(default_factory=Counter)
    baseline: Counter[str] = field(default_factory=Counter)
    pending: list[BusEvent] = field(default_factory=list)  # to be put on the bus with what comes last

    def events(self, changes: Iterable[Change]) -> Iterator[BusEvent]:
        """The same events for the same changes, in the same order. What nothing covered before is counted alone."""
        for change in changes:
            if change.is_baseline:
                self.baseline[change.kind.value] += 1
                continue
            self.counts[change.kind.value] += 1
            if self.counts.total() <= MAX_CHANGE_EVENTS_PER_REPORT:
                yield build_change_event(self.scan, self.shard, self.source, change, self.cause_id)

    def summed(self) -> ChangeCounts:
        announced = min(self.counts.total(), MAX_CHANGE_EVENTS_PER_REPORT)
        return ChangeCounts(kinds=dict(self.counts), baseline=dict(self.baseline), announced=announced)

    def go_on(self, told: PublishedChanges) -> None:
        """Know what an earlier turn told."""
        self.counts, self.baseline = Counter(told.counts), Counter(told.baseline)

    def told(self, after: str) -> PublishedChanges:
        return PublishedChanges(after=after, counts=dict(self.counts), baseline=dict(self.baseline))


def publish_changes(
    news: ChangeAnnouncer, bus: EventBus, turn: RecordingPass, answer: ReportSummary
) -> RecordingStatus:
    """Tell every change of the shard, as far as there is time; who tells the rest. Nobody: `news.pending` is left."""
    news.go_on(answer.told)
    changes = turn.table.changes(news.scan.scan_id, news.shard, answer.told.after)
    for after, chunk in _chunks(changes):
        news.pending += news.events(chunk)
        if turn.has_to_note:
            bus.put(news.pending)
            news.pending = []
            is_up = turn.is_up
            if not turn.note(answer.told_recording(news.told(after), turn.size, ends_turn=is_up), ()):
                return RecordingStatus.SUPERSEDED
            if is_up and answer.may_go_on:
                return RecordingStatus.CONTINUE
    return RecordingStatus.DONE


def _chunks(changes: Iterable[Change]) -> Iterator[tuple[str, list[Change]]]:
    """The changes in lists that end with all of an address, and that address."""
    chunk: list[Change] = []
    for address, of_address in groupby(changes, key=lambda change: change.address):
        chunk += of_address
        if len(chunk) >= ENOUGH_CHANGES:
            yield address, chunk
            chunk = []
    if chunk:
        yield chunk[-1].address, chunk
