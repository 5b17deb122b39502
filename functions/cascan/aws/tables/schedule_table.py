"""DynamoScheduleTable: scheduled scans in the scan table.

what       pk                  sk                       attributes
─────────  ──────────────────  ───────────────────────  ───────────────────────────────────────
schedule   schedules           schedule/<name>          body, version, created_at, stored_at
scan types schedules           scan-types               body, version
status     schedule/<name>     status                   last_due, last_run, result
run        schedule/<name>     run/<due at>             body, ended
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec

from cascan.aws.boundary import tries
from cascan.aws.dynamodb.table import DynamoTable
from cascan.aws.dynamodb.wire import (
    Item,
    build_key,
    encode_body,
    format_instant,
    read_item,
    readable_items,
    to_values,
    unpack_body,
    unpack_text,
)
from cascan.clock import Clock, utc_now
from cascan.errors import GatewayUnavailable
from cascan.limits import MAX_RUNS, MAX_SCHEDULES
from cascan.model.schedule import (
    LatestResult,
    ScanTypes,
    ScheduledRun,
    ScheduleStatus,
    StoredSchedule,
)

SCHEDULES = "schedules"  # the partition of all schedules


class DynamoScheduleTable:
    """ScheduleTable on DynamoDB."""

    def __init__(self, table_name: str, clock: Clock = utc_now) -> None:
        self._table = DynamoTable(table_name, clock)
        self._clock = clock

    def put_schedule(self, name: str, document: Mapping[str, Any]) -> StoredSchedule:
        for _ in tries():
            previous, now = self.schedule(name), self._clock()
            if previous and previous.document == dict(document):
                return previous
            stored = StoredSchedule(
                name=name,
                version=previous.version + 1 if previous else 1,
                document=dict(document),
                created_at=previous.created_at if previous else now,
                stored_at=now,
            )
            if self._table.put_version(_schedule_item(stored), stored.version):
                return stored
        raise GatewayUnavailable(f"schedule {name}: others kept storing it")

    def restore_schedule(self, stored: StoredSchedule) -> bool:
        return self._table.put_new(_schedule_item(stored))

    def schedule(self, name: str) -> StoredSchedule | None:
        item = self._table.get(build_key(SCHEDULES, f"schedule/{name}"))
        return read_item(item, _schedule_in) if item else None

    def schedules(self) -> Iterator[StoredSchedule]:
        items = self._table.children(SCHEDULES, "schedule/")
        return islice(readable_items(items, _schedule_in), MAX_SCHEDULES)

    def delete_schedule(self, name: str) -> bool:
        exists = self.schedule(name) is not None
        self._table.delete(build_key(SCHEDULES, f"schedule/{name}"))
        self._table.delete_all(list(self._table.keys(_partition(name))))
        return exists

    def scan_types(self) -> ScanTypes | None:
        item = self._table.get(build_key(SCHEDULES, "scan-types"))
        return read_item(item, _scan_types_in) if item else None

    def put_scan_types(self, scan_types: ScanTypes) -> bool:
        body = {"body": encode_body(msgspec.to_builtins(scan_types))}
        version = to_values({"version": scan_types.version})
        item = build_key(SCHEDULES, "scan-types") | body | version
        return self._table.put_version(item, scan_types.version)

    def record_due(self, name: str, due_at: datetime) -> bool:
        noted = self._table.update(
            build_key(_partition(name), "status"),
            "SET #last_due = :due",
            when="attribute_not_exists(#last_due) OR #last_due <= :due",
            values=to_values({":due": format_instant(due_at)}),
        )
        return noted is not None

    def record_result(self, name: str, result: LatestResult) -> None:
        self._table.update(
            build_key(_partition(name), "status"),
            "SET #result = :result, #finished_at = :at",
            when="attribute_not_exists(#finished_at) OR #finished_at <= :at",
            values=to_values({":at": format_instant(result.finished_at)})
            | {":result": encode_body(msgspec.to_builtins(result))},
        )

    def status(self, name: str) -> ScheduleStatus:
        item = self._table.get(build_key(_partition(name), "status")) or {}
        return read_item(item, _status_in)

    def add_run(self, run: ScheduledRun) -> ScheduledRun:
        key = build_key(_partition(run.schedule), f"run/{format_instant(run.due_at)}")
        if not self._table.put_new(key | {"body": encode_body(msgspec.to_builtins(run))}):
            item = self._table.get(key)
            run = read_item(item, _run_in) if item else run
        self._table.update(
            build_key(_partition(run.schedule), "status"),
            "SET #last_run = :due",
            when="attribute_not_exists(#last_run) OR #last_run <= :due",
            values=to_values({":due": format_instant(run.due_at)}),
        )
        return run

    def runs(self, name: str) -> Iterator[ScheduledRun]:
        items = self._table.children(_partition(name), "run/")
        return islice(readable_items(items, _run_in), MAX_RUNS)

    def end_run(self, run: ScheduledRun) -> None:
        self._table.update(
            build_key(_partition(run.schedule), f"run/{format_instant(run.due_at)}"),
            "SET #ended = :yes",
            when="attribute_exists(pk)",
            values=to_values({":yes": True}),
        )

    def forget_run(self, run: ScheduledRun) -> None:
        self._table.delete(build_key(_partition(run.schedule), f"run/{format_instant(run.due_at)}"))


def _schedule_item(stored: StoredSchedule) -> Item:
    attributes = {
        "version": stored.version,
        "created_at": format_instant(stored.created_at),
        "stored_at": format_instant(stored.stored_at),
        "name": stored.name,
    }
    body = {"body": encode_body(stored.document)}
    return build_key(SCHEDULES, f"schedule/{stored.name}") | body | to_values(attributes)


def _schedule_in(item: Item) -> StoredSchedule:
    return StoredSchedule(
        name=item["sk"]["S"].removeprefix("schedule/"),
        version=int(item["version"]["N"]),
        document=msgspec.json.decode(unpack_body(item)),
        created_at=datetime.fromisoformat(item.get("created_at", item["stored_at"])["S"]),
        stored_at=datetime.fromisoformat(item["stored_at"]["S"]),
    )


def _scan_types_in(item: Item) -> ScanTypes:
    return msgspec.json.decode(unpack_body(item), type=ScanTypes)


def _status_in(item: Item) -> ScheduleStatus:
    result = None
    if "result" in item:
        result = msgspec.json.decode(unpack_text(item["result"]), type=LatestResult)
    return ScheduleStatus(
        last_due_at=_instant_in(item, "last_due"),
        last_schedule_time=_instant_in(item, "last_run"),
        last_result=result,
    )


def _run_in(item: Item) -> ScheduledRun:
    run = msgspec.json.decode(unpack_body(item), type=ScheduledRun)
    return msgspec.structs.replace(run, ended="ended" in item)


def _instant_in(item: Item, name: str) -> datetime | None:
    return datetime.fromisoformat(item[name]["S"]) if name in item else None


def _partition(name: str) -> str:
    return f"schedule/{name}"
