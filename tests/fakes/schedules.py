"""The schedule table in memory, with the semantics of the real one: tests/integration/gateways/ holds for both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from cascan.clock import Clock, to_wire
from cascan.gateways import DelayedMessage
from cascan.model.schedule import LatestResult, ScanTypes, ScheduledRun, ScheduleStatus, StoredSchedule
from tests.fakes.shards import Breakable
from tests.support.builders import clock as fixed_clock


class MemoryScheduleTable:
    """ScheduleTable in dicts."""

    def __init__(self, clock: Clock = fixed_clock) -> None:
        self.clock = clock
        self.stored: dict[str, StoredSchedule] = {}
        self.statuses: dict[str, ScheduleStatus] = {}
        self.types: ScanTypes | None = None
        self.runs_by_key: dict[tuple[str, datetime], ScheduledRun] = {}

    def put_schedule(self, name: str, document: Mapping[str, Any]) -> StoredSchedule:
        before, now = self.stored.get(name), self.clock()
        if before and before.document == dict(document):
            return before
        self.stored[name] = StoredSchedule(
            name=name,
            version=before.version + 1 if before else 1,
            document=dict(document),
            created_at=before.created_at if before else now,
            stored_at=now,
        )
        return self.stored[name]

    def restore_schedule(self, stored: StoredSchedule) -> bool:
        if stored.name in self.stored:
            return False
        self.stored[stored.name] = stored
        return True

    def schedule(self, name: str) -> StoredSchedule | None:
        return self.stored.get(name)

    def schedules(self) -> Iterator[StoredSchedule]:
        return iter([self.stored[name] for name in sorted(self.stored)])

    def delete_schedule(self, name: str) -> bool:
        self.statuses.pop(name, None)
        self.runs_by_key = {key: run for key, run in self.runs_by_key.items() if key[0] != name}
        return self.stored.pop(name, None) is not None

    def scan_types(self) -> ScanTypes | None:
        return self.types

    def put_scan_types(self, scan_types: ScanTypes) -> bool:
        if scan_types.version != (self.types.version if self.types else 0) + 1:
            return False
        self.types = scan_types
        return True

    def record_due(self, name: str, due_at: datetime) -> bool:
        status = self.status(name)
        if status.last_due_at and status.last_due_at > due_at:
            return False
        self.statuses[name] = replace(status, last_due_at=due_at)
        return True

    def record_result(self, name: str, result: LatestResult) -> None:
        status = self.status(name)
        if status.last_result is None or status.last_result.finished_at <= result.finished_at:
            self.statuses[name] = replace(status, last_result=result)

    def status(self, name: str) -> ScheduleStatus:
        return self.statuses.get(name, ScheduleStatus())

    def add_run(self, run: ScheduledRun) -> ScheduledRun:
        status = self.status(run.schedule)
        latest = max(run.due_at, status.last_schedule_time or run.due_at)
        self.statuses[run.schedule] = replace(status, last_schedule_time=latest)
        return self.runs_by_key.setdefault((run.schedule, run.due_at), run)

    def runs(self, name: str) -> Iterator[ScheduledRun]:
        return iter([self.runs_by_key[key] for key in sorted(self.runs_by_key) if key[0] == name])

    def end_run(self, run: ScheduledRun) -> None:
        key = run.schedule, run.due_at
        if key in self.runs_by_key:
            self.runs_by_key[key] = replace(self.runs_by_key[key], ended=True)

    def forget_run(self, run: ScheduledRun) -> None:
        self.runs_by_key.pop((run.schedule, run.due_at), None)


class MemoryDelayedMessages(Breakable):
    """DelayedMessages in a dict, by their time and body."""

    def __init__(self, clock: Clock = fixed_clock) -> None:
        self.clock = clock
        self.messages: dict[str, str] = {}

    def send(self, body: str, *, delay_s: int = 0) -> str:
        self._reach()
        key = f"{to_wire(self.clock() + timedelta(seconds=delay_s))}/{body}"
        self.messages[key] = body
        return key

    def due(self, now: datetime, limit: int) -> Iterator[DelayedMessage]:
        self._reach()
        ripe = [key for key in sorted(self.messages) if key.partition("/")[0] <= to_wire(now)]
        return iter([DelayedMessage(key, self.messages[key]) for key in ripe[:limit]])

    def done(self, message: DelayedMessage) -> None:
        self._reach()
        self.messages.pop(message.key, None)
