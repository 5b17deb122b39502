"""Notices: messages about something that happened once. Each occurrence has a key of its own.

The notices that follow from an event alone are here. What has to be read from the table once a scan has ended is in
review_scan.py.

ScheduleSkipped                     a scheduled scan did not start in time, or not at all
ScanFailed of a schedule            the same: it was refused, or failed
ScanCompleted of a schedule         it was partial, timed out, or did not resolve its names
ExposureExpiring of an entry        an entry of the file of expected exposure ends soon
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cascan.clock import to_wire
from cascan.events import BusEvent, ExposureExpiring, ScanCompleted, ScanFailed, ScheduleSkipped
from cascan.limits import MAX_MESSAGE_FIELD_CHARS
from cascan.messages.fields import FIELD_NAMES, Fields
from cascan.model.finding import Severity
from cascan.model.message import Step
from cascan.model.scan import Outcome
from cascan.model.schedule import SCHEDULE_LABEL

OWNER_LABEL = "owner"  # of a scan or schedule: who gets the notices about it
KeyedNotice = tuple[str, Fields]
INCOMPLETE = frozenset({Outcome.PARTIAL, Outcome.TIMED_OUT, Outcome.UNRESOLVED, Outcome.FAILED})


def build_notices(event: BusEvent) -> Iterator[KeyedNotice]:
    """The key and the fields of each notice. Most events lead to none."""
    if isinstance(event, ScheduleSkipped):
        yield _build_skipped(event)
    elif isinstance(event, ExposureExpiring):
        yield _build_expiring_entry(event)
    schedule = event.labels.get(SCHEDULE_LABEL, "")
    if isinstance(event, ScanFailed) and schedule:
        yield _build_failed(event, schedule)
    if isinstance(event, ScanCompleted) and schedule and event.outcome in INCOMPLETE:
        yield _build_partial(event, schedule)


def build_notice_fields(kind: str, title: str, sentence: str, severity: Severity, **fields: str) -> Fields:
    """The fields of a notice, without those that are empty."""
    about: dict[str, Any] = {
        "title": title,
        "step": Step.NOTICE.value,
        "severity": severity.value,
        "kind": kind,
        "sentence": sentence,
    }
    unknown = fields.keys() - set(FIELD_NAMES)
    if unknown:
        raise ValueError(f"unknown fields: {', '.join(sorted(unknown))}")
    return {name: text[:MAX_MESSAGE_FIELD_CHARS] for name, text in (about | fields).items() if text}


def _build_skipped(event: ScheduleSkipped) -> KeyedNotice:
    severity = Severity.MEDIUM if event.retried else Severity.LOW  # a blackout is the operator's own
    verb = "did not start in time" if event.retried else "did not run"
    title = f"Scheduled scan {verb}: {event.schedule} ({severity.value})"
    sentence = f"due at {to_wire(event.due_at)}: {event.reason}"
    owner = _find_owner(event)
    fields = build_notice_fields("scan-missed", title, sentence, severity, subject=event.schedule, owner=owner)
    return f"schedule/{event.schedule}/{to_wire(event.due_at)}", fields


def _build_failed(event: ScanFailed, schedule: str) -> KeyedNotice:
    verb = "was refused" if event.refused else "failed"
    title = f"Scheduled scan {verb}: {schedule} ({Severity.HIGH.value})"
    owner = _find_owner(event)
    fields = build_notice_fields("scan-missed", title, event.reason, Severity.HIGH, subject=schedule, owner=owner)
    return f"scan/{event.scan_id}/failed", fields


def _build_partial(event: ScanCompleted, schedule: str) -> KeyedNotice:
    title = f"Scheduled scan is {event.outcome.value}: {schedule} ({Severity.MEDIUM.value})"
    shards = ", ".join(f"{number} {outcome}" for outcome, number in sorted(event.shard_outcomes.items()))
    sentence = event.reasons.sentence if event.reasons.listed else f"shards: {shards}"
    fields = build_notice_fields(
        "scan-partial",
        title,
        sentence,
        Severity.MEDIUM,
        subject=schedule,
        vantage=event.vantage,
        owner=_find_owner(event),
    )
    return f"scan/{event.scan_id}/partial", fields


def _build_expiring_entry(event: ExposureExpiring) -> KeyedNotice:
    title = f"An entry of the exposure file ends soon: line {event.line} ({Severity.LOW.value})"
    until = event.until.isoformat() if event.until else ""
    fields = build_notice_fields(
        "entry-expiring", title, event.sentence, Severity.LOW, owner=event.owner, why=event.why, until=until
    )
    return f"entry/{event.event_id}", fields


def _find_owner(event: BusEvent) -> str:
    return event.labels.get(OWNER_LABEL, "")
