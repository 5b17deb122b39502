"""What the agenda says is due. Every deed may be repeated: an entry is taken off when its deed is done, not before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace

from cascan.clock import Clock, TimeLeft, no_time_limit
from cascan.errors import CascanError, UnreadableItem
from cascan.gateways import EventBus, ReportStore, ScanTable, ShardQueues
from cascan.limits import LOOK_EVERY_S, MAX_DUE_AT_ONCE, MAX_REMOVED_AT_ONCE, MAX_ROUNDS, MIN_TIME_LEFT_S
from cascan.model.agenda import AgendaEntry, AgendaTask
from cascan.model.scan import FINAL_STATES, Scan
from cascan.scans.agenda import next_check, next_minute, next_window_change
from cascan.scans.close import ClosingGateways, settle_scan
from cascan.scans.close_open_shards import Remaining, close_open_shards, is_over
from cascan.scans.release import release_waiting, resend_messages


@dataclass(frozen=True, slots=True)
class AgendaContext:
    """What the deeds reach for."""

    table: ScanTable
    queues: ShardQueues
    bus: EventBus
    reports: ReportStore
    clock: Clock

    @property
    def closing(self) -> ClosingGateways:
        return {"table": self.table, "queues": self.queues, "bus": self.bus, "clock": self.clock}


@dataclass(slots=True)
class TasksDone:
    """What was done, for the log."""

    done: dict[str, int] = field(default_factory=dict)  # entries, by what they were about
    failures: list[tuple[str, str]] = field(default_factory=list)  # scan and error; they stay on the agenda


def run_due_tasks(house: AgendaContext, left_s: TimeLeft = no_time_limit) -> TasksDone:
    """Do what is due while there is time; the rest is the next tick's. One that fails fails alone.

    In rounds of MAX_DUE_AT_ONCE entries: what takes several turns is due again at once, behind what else is due.
    """
    kept, seen = TasksDone(), set[AgendaEntry]()
    for _ in range(MAX_ROUNDS):
        entries = [entry for entry in house.table.due(house.clock(), MAX_DUE_AT_ONCE) if entry not in seen]
        for entry in entries:
            if left_s() < MIN_TIME_LEFT_S:
                return kept
            seen.add(entry)
            _do_one(entry, house, left_s, kept)
        if not entries:
            break
    return kept


def _do_one(entry: AgendaEntry, house: AgendaContext, left_s: TimeLeft, kept: TasksDone) -> None:
    try:
        later = list(_do(entry, house, left_s))
        for planned in later:
            house.table.add_to_agenda(planned)
        if entry not in later:
            house.table.done(entry)
        kept.done[entry.task.value] = kept.done.get(entry.task.value, 0) + 1
    except UnreadableItem as exc:  # of another version, or damaged: it does not stand in the way of the others
        kept.failures.append((entry.scan_id, str(exc)))
        _put_off(entry, house)
    except CascanError as exc:
        kept.failures.append((entry.scan_id, str(exc)))
    except Exception as exc:  # noqa: BLE001 - a fault of ours with one scan costs no other its deadline
        kept.failures.append((entry.scan_id, f"{type(exc).__name__}: {exc}"))


def _put_off(entry: AgendaEntry, house: AgendaContext) -> None:
    """Look again in an hour. First the later entry, so that what breaks off leaves two and not none."""
    house.table.add_to_agenda(replace(entry, due_at=house.clock() + timedelta(seconds=LOOK_EVERY_S)))
    house.table.done(entry)


def _do(entry: AgendaEntry, house: AgendaContext, left_s: TimeLeft) -> Iterator[AgendaEntry]:
    """Do what the entry says; what there is to do later on."""
    scan, now = house.table.get_scan(entry.scan_id), house.clock()
    if scan is None:
        return
    if entry.task is AgendaTask.EXPIRE:
        yield from _remove(scan, now, house)
    elif scan.shards_open == 0:
        settle_scan(scan.scan_id, **house.closing)  # in case nobody announced its end
    elif is_over(scan, now):
        yield from _end(scan, entry.task, house, left_s)
    else:
        if entry.task is AgendaTask.LOOK:
            resend_messages(scan, table=house.table, queues=house.queues, clock=house.clock)
            yield next_check(scan, now)
        elif change := next_window_change(scan, now):
            yield change
        release_waiting(scan, table=house.table, queues=house.queues, clock=house.clock)


def _end(scan: Scan, what: AgendaTask, house: AgendaContext, left_s: TimeLeft) -> Iterator[AgendaEntry]:
    """One turn at the open shards of a scan that is cancelled or past its deadline."""
    left = close_open_shards(scan, table=house.table, clock=house.clock, left_s=left_s)
    settled, now = settle_scan(scan.scan_id, **house.closing), house.clock()
    if left is Remaining.MORE:
        yield AgendaEntry(now, scan.scan_id, what)
    elif left is Remaining.WORKERS:
        yield AgendaEntry(next_minute(now), scan.scan_id, AgendaTask.DEADLINE)
    elif settled and settled.shards_open:  # shards that are counted and not stored yet: whoever plans it ends it
        yield next_check(scan, now)


def _remove(scan: Scan, now: datetime, house: AgendaContext) -> Iterator[AgendaEntry]:
    """Objects first, the scan's own item last: what breaks off half way is found again."""
    if scan.state not in FINAL_STATES:  # its results are being published
        yield AgendaEntry(next_minute(now), scan.scan_id, AgendaTask.EXPIRE)
    elif not (
        house.reports.remove_scan(scan.scan_id, MAX_REMOVED_AT_ONCE)
        and house.table.remove_scan(scan.scan_id, MAX_REMOVED_AT_ONCE)
    ):
        yield AgendaEntry(house.clock(), scan.scan_id, AgendaTask.EXPIRE)
