"""The times of a schedule, the request of each run, and the message that a schedule is due."""

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
from cascan.forms.complete_request import IDEMPOTENCY_ANNOTATION, WINDOWS_ANNOTATION
from cascan.forms.manifest import API_VERSION
from cascan.forms.manifest import KIND as SCAN
from cascan.ids import derive_scan_id
from cascan.limits import MAX_NAME_CHARS
from cascan.model.schedule import SCHEDULE_LABEL, Schedule
from cascan.timing.cron import Cron

RUN_NAME_ANNOTATION = "cascan/scheduled-name"
SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"  # EventBridge Scheduler replaces it by the time
MAX_CLOCK_DIFFERENCE = timedelta(minutes=5)  # of the senders of messages
END_EVENTS = frozenset({"ScanCompleted", "ScanFailed", "ScanCancelled"})


class Kind(StrEnum):
    DUE = "due"  # its time has come
    RUN_NOW = "run-now"  # requested by an operator: also while suspended or on a blackout date
    RETRIGGER = "retrigger"  # its scan type changed
    SETTLE = "settle"  # a scan of it ended


class ScheduleDue(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The message of the schedule queue: `{"schedule": "nightly", "dueAt": "2026-01-31T02:30:00Z"}`"""

    schedule: str
    due_at: datetime
    kind: Kind = Kind.DUE
    retry: int = 0  # how often it was sent again
    failed: bool = False  # of a scan's end: it was refused, or failed

    def to_wire(self) -> str:
        return json.dumps(msgspec.to_builtins(self) | {"dueAt": to_wire(self.due_at)})

    @classmethod
    def from_wire(cls, body: str | bytes, sent_at: datetime) -> ScheduleDue | None:
        """A message of the schedule queue, or an event that a scan of a schedule ended.

        `sent_at` is when the message was queued. Its minute replaces a scheduled time that the
        sender did not fill in (the emulator of a local stack does not). A second delivery has the
        same minute.

        None: the end of a scan that does not belong to a schedule.

        Raises: MalformedMessage: neither such a message nor an event of the scan bus; or a time
            in the future, which would overtake all runs that are due before it.
        """
        try:
            fields = msgspec.json.decode(body, type=dict[str, Any])
            if "detail-type" in fields:
                return _from_event(fields, sent_at)
            if fields.get("dueAt") == SCHEDULED_TIME:
                fields["dueAt"] = to_wire(sent_at.replace(second=0, microsecond=0))
            due = msgspec.convert(fields, cls)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
            raise MalformedMessage(f"not a ScheduleDue message: {exc}") from exc
        if due.due_at.tzinfo is None or not 0 < len(due.schedule) <= MAX_NAME_CHARS:
            raise MalformedMessage("a ScheduleDue message needs the name of a schedule, and a time with its zone")
        if due.due_at > sent_at + MAX_CLOCK_DIFFERENCE:
            raise MalformedMessage(f"dueAt {to_wire(due.due_at)} is later than the time when the message was sent")
        return due


def build_target_input(name: str) -> str:
    """The message that EventBridge Scheduler sends, with a placeholder for the time."""
    return json.dumps({"schedule": name, "dueAt": SCHEDULED_TIME})


def run_name(schedule: Schedule | str, due_at: datetime) -> str:
    """`<name>-<unix time>`: one run for each time, even if the message arrives twice."""
    name = schedule if isinstance(schedule, str) else schedule.name
    return f"{name}-{int(due_at.timestamp())}"


def run_scan_id(schedule: Schedule, due_at: datetime) -> str:
    return derive_scan_id(_key(schedule, due_at))


def build_run_request(schedule: Schedule, due_at: datetime) -> dict[str, Any]:
    """The request of the run: a Scan manifest, or the short form."""
    annotations = {
        IDEMPOTENCY_ANNOTATION: _key(schedule, due_at),
        RUN_NAME_ANNOTATION: run_name(schedule, due_at),
    }
    if schedule.windows:
        annotations[WINDOWS_ANNOTATION] = ";".join(schedule.windows)
    metadata = {
        "name": schedule.name,
        "labels": schedule.labels | {SCHEDULE_LABEL: schedule.name},
        "annotations": schedule.annotations | annotations,
    }
    if schedule.is_manifest:
        return {
            "apiVersion": API_VERSION,
            "kind": SCAN,
            "metadata": metadata,
            "spec": schedule.scan,
        }
    return {**schedule.scan, **metadata}


def next_times(schedule: Schedule, created_at: datetime, moment: datetime) -> Iterator[datetime]:
    """Every time after `moment` at which a scan starts, in UTC and in order.

    Times on blackout dates are left out.
    """
    times = _find_times(schedule, created_at, moment)
    return (due_at for due_at in times if not is_blacked_out(schedule, due_at))


def next_interval(schedule: Schedule, created_at: datetime, moment: datetime) -> datetime:
    """The first time after `moment` that is n intervals, n ≥ 1, after the schedule's creation."""
    interval = timedelta(minutes=schedule.interval_minutes)
    return created_at + max(1, (moment - created_at) // interval + 1) * interval


def is_blacked_out(schedule: Schedule, due_at: datetime) -> bool:
    """Whether `due_at`, in the schedule's time zone, is on a blackout date."""
    day = due_at.astimezone(ZoneInfo(schedule.time_zone)).date()
    return any(begin <= day <= end for begin, end in map(parse_blackout, schedule.blackout_dates))


def parse_blackout(text: str) -> tuple[date, date]:
    """`2026-12-24` or `2026-12-24..2027-01-01` → beginning and end, both of them included.

    Raises: ValueError: one sentence, with the fix.
    """
    begin_text, dots, end_text = text.partition("..")
    try:
        begin = date.fromisoformat(begin_text.strip())
        end = date.fromisoformat(end_text.strip()) if dots else begin
    except ValueError as exc:
        raise ValueError(f"{text[:40]!r} is not a date: write 2026-12-24, or 2026-12-24..2027-01-01") from exc
    if end < begin:
        raise ValueError(f"{text[:40]!r} ends before it begins")
    return begin, end


def _find_times(schedule: Schedule, created_at: datetime, moment: datetime) -> Iterator[datetime]:
    if schedule.cron:
        return Cron.parse(schedule.cron).times_after(moment, ZoneInfo(schedule.time_zone))
    start = next_interval(schedule, created_at, moment).astimezone(UTC)
    interval = timedelta(minutes=schedule.interval_minutes)
    return (start + number * interval for number in count())


def _key(schedule: Schedule, due_at: datetime) -> str:
    return f"schedule/{run_name(schedule, due_at)}"


def _from_event(envelope: Mapping[str, Any], sent_at: datetime) -> ScheduleDue | None:
    """The message for an event that a scan ended. None: it does not belong to a schedule."""
    detail = envelope.get("detail")
    labels = detail.get("labels") if isinstance(detail, dict) else None
    name = labels.get(SCHEDULE_LABEL) if isinstance(labels, dict) else None
    is_end = envelope.get("source") == "cascan" and envelope.get("detail-type") in END_EVENTS
    if not is_end or not isinstance(name, str):
        return None
    ended_at = detail.get("at") if isinstance(detail, dict) else None
    due_at = from_wire(ended_at) if isinstance(ended_at, str) else sent_at
    failed = envelope.get("detail-type") == "ScanFailed"
    return ScheduleDue(schedule=name, due_at=due_at, kind=Kind.SETTLE, failed=failed)
