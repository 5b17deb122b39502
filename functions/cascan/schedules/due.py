"""What a schedule means at a moment: its next times, its scan's request, and the message that says it is due."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from cascan.clock import from_wire, to_wire
from cascan.errors import MalformedMessage
from cascan.forms.complete_request import IDEMPOTENCY_ANNOTATION, SCHEDULE_LABEL, WINDOWS_ANNOTATION
from cascan.forms.manifest import API_VERSION
from cascan.forms.manifest import KIND as SCAN
from cascan.ids import derive_scan_id
from cascan.limits import MAX_NAME_CHARS
from cascan.model.schedule import Schedule
from cascan.timing.cron import Cron

RUN_NAME_ANNOTATION = "cascan/scheduled-name"
SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"  # EventBridge Scheduler puts the time there
MAX_CLOCK_DIFFERENCE = timedelta(minutes=5)  # at most, of whoever sends messages
END_EVENTS = frozenset({"ScanCompleted", "ScanFailed", "ScanCancelled"})


class Kind(StrEnum):
    DUE = "due"  # the schedule says so
    RUN_NOW = "run-now"  # a person does: also while it is suspended, also on a blackout date
    RETRIGGER = "retrigger"  # the scan type is another one than before
    SETTLE = "settle"  # a scan of it ended


class ScheduleDue(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`{"schedule": "nightly", "dueAt": "2026-01-31T02:30:00Z"}`: the message of the schedule queue."""

    schedule: str
    due_at: datetime
    kind: Kind = Kind.DUE
    retry: int = 0  # how often it was put back

    def to_wire(self) -> str:
        return json.dumps(msgspec.to_builtins(self) | {"dueAt": to_wire(self.due_at)})

    @classmethod
    def from_wire(cls, body: str | bytes, sent_at: datetime) -> ScheduleDue | None:
        """None: the end of a scan that no schedule asked for.

        `sent_at`: when the message was queued, in place of a time that the sender did not fill in, as the emulator of a
        local stack; of its minute, which a second delivery has too.

        Raises: MalformedMessage: neither such a message nor an event of the scan bus; or a time that has not come yet,
            which would overtake all that are due before it.
        """
        try:
            fields = msgspec.json.decode(body, type=dict[str, Any])
            if "detail-type" in fields:
                return _of_event(fields, sent_at)
            if fields.get("dueAt") == SCHEDULED_TIME:
                fields["dueAt"] = to_wire(sent_at.replace(second=0, microsecond=0))
            due = msgspec.convert(fields, cls)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
            raise MalformedMessage(f"not a ScheduleDue message: {exc}") from exc
        if due.due_at.tzinfo is None or not 0 < len(due.schedule) <= MAX_NAME_CHARS:
            raise MalformedMessage("a ScheduleDue message names a schedule, and a time with its zone")
        if due.due_at > sent_at + MAX_CLOCK_DIFFERENCE:
            raise MalformedMessage(f"dueAt {to_wire(due.due_at)} had not come when the message was sent")
        return due


def build_target_input(name: str) -> str:
    """What EventBridge Scheduler sends, once it has put the time in."""
    return json.dumps({"schedule": name, "dueAt": SCHEDULED_TIME})


def run_name(schedule: Schedule | str, due_at: datetime) -> str:
    """`<name>-<unix time>`: the same time twice is the same scan."""
    name = schedule if isinstance(schedule, str) else schedule.name
    return f"{name}-{int(due_at.timestamp())}"


def run_scan_id(schedule: Schedule, due_at: datetime) -> str:
    return derive_scan_id(_key(schedule, due_at))


def build_run_request(schedule: Schedule, due_at: datetime) -> dict[str, Any]:
    """The request of the schedule's scan: a Scan manifest, or the short form."""
    given = {IDEMPOTENCY_ANNOTATION: _key(schedule, due_at), RUN_NAME_ANNOTATION: run_name(schedule, due_at)}
    if schedule.windows:
        given[WINDOWS_ANNOTATION] = ";".join(schedule.windows)
    metadata = {
        "name": schedule.name,
        "labels": schedule.labels | {SCHEDULE_LABEL: schedule.name},
        "annotations": schedule.annotations | given,
    }
    if schedule.is_manifest:
        return {"apiVersion": API_VERSION, "kind": SCAN, "metadata": metadata, "spec": schedule.scan}
    return {**schedule.scan, **metadata}


def next_times(schedule: Schedule, created_at: datetime, after: datetime) -> Iterator[datetime]:
    """Every time after `after` at which a scan starts, in UTC and in order; without those on blackout dates."""
    return (due_at for due_at in _times(schedule, created_at, after) if not is_blacked_out(schedule, due_at))


def next_interval(schedule: Schedule, created_at: datetime, after: datetime) -> datetime:
    """The first time after `after` that is a number of intervals from the schedule's creation, at least one."""
    interval = timedelta(minutes=schedule.interval_minutes)
    return created_at + max(1, (after - created_at) // interval + 1) * interval


def is_blacked_out(schedule: Schedule, due_at: datetime) -> bool:
    """Whether it is due on a date, of the schedule's time zone, on which nothing starts."""
    day = due_at.astimezone(ZoneInfo(schedule.time_zone)).date()
    return any(first <= day <= last for first, last in map(parse_blackout, schedule.blackout_dates))


def parse_blackout(text: str) -> tuple[date, date]:
    """`2026-12-24`, or `2026-12-24..2027-01-01` with both ends. Raises: ValueError: one sentence, with the fix."""
    first, dots, last = text.partition("..")
    try:
        span = date.fromisoformat(first.strip()), date.fromisoformat((last if dots else first).strip())
    except ValueError as exc:
        raise ValueError(f"{text[:40]!r} is no date: write 2026-12-24, or 2026-12-24..2027-01-01") from exc
    if span[1] < span[0]:
        raise ValueError(f"{text[:40]!r} ends before it begins")
    return span


def _times(schedule: Schedule, created_at: datetime, after: datetime) -> Iterator[datetime]:
    if schedule.cron:
        return Cron.parse(schedule.cron).times_after(after, ZoneInfo(schedule.time_zone))
    first, interval = next_interval(schedule, created_at, after), timedelta(minutes=schedule.interval_minutes)
    return (first.astimezone(UTC) + number * interval for number in count())


def _key(schedule: Schedule, due_at: datetime) -> str:
    return f"schedule/{run_name(schedule, due_at)}"


def _of_event(envelope: Mapping[str, Any], sent_at: datetime) -> ScheduleDue | None:
    detail = envelope.get("detail")
    labels = detail.get("labels") if isinstance(detail, dict) else None
    name = labels.get(SCHEDULE_LABEL) if isinstance(labels, dict) else None
    if envelope.get("source") != "cascan" or envelope.get("detail-type") not in END_EVENTS or not isinstance(name, str):
        return None
    at = detail.get("at") if isinstance(detail, dict) else None
    return ScheduleDue(schedule=name, due_at=from_wire(at) if isinstance(at, str) else sent_at, kind=Kind.SETTLE)
