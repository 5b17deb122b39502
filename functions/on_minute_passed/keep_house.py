"""What the agenda says is due. Every deed may be repeated: an entry is taken off when its deed is done, not before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace

from cascan.agenda import next_change, next_look
from cascan.clock import Clock
from cascan.closing import Closing, close_shard, settle
from cascan.errors import CascanError, UnreadableItem
from cascan.gateways import EventBus, ReportStore, ScanTable, ShardQueues
from cascan.limits import LOOK_AGAIN_S, LOOK_EVERY_S, MAX_DUE_AT_ONCE, MAX_REMOVED_AT_ONCE, REPORT_WITHIN_S
from cascan.model.agenda import AgendaEntry, What
from cascan.model.scan import FINAL_STATES, Outcome, Scan
from cascan.model.shard import OPEN_STATES, Shard, ShardClosing, ShardState
from cascan.releasing import release_next, send_again


@dataclass(frozen=True, slots=True)
class House:
    """What the deeds reach for."""

    table: ScanTable
    queues: ShardQueues
    bus: EventBus
    reports: ReportStore
    clock: Clock

    @property
    def closing(self) -> Closing:
        return {"table": self.table, "queues": self.queues, "bus": self.bus, "clock": self.clock}


@dataclass(slots=True)
class Kept:
    """What was done, for the log."""

    done: dict[str, int] = field(default_factory=dict)  # entries, by what they were about
    failures: list[tuple[str, str]] = field(default_factory=list)  # scan and error; they stay on the agenda


def keep_house(house: House) -> Kept:
    """Do what is due, at most MAX_DUE_AT_ONCE entries; the others are the next tick's. One that fails fails alone."""
    kept = Kept()
    for entry in list(house.table.due(house.clock(), MAX_DUE_AT_ONCE)):
        try:
            for later in _do(entry, house):
                house.table.plan_at(later)
            house.table.done(entry)
            kept.done[entry.what.value] = kept.done.get(entry.what.value, 0) + 1
        except UnreadableItem as exc:  # of another version, or damaged: it does not stand in the way of the others
            kept.failures.append((entry.scan_id, str(exc)))
            _put_off(entry, house)
        except CascanError as exc:
            kept.failures.append((entry.scan_id, str(exc)))
        except Exception as exc:  # noqa: BLE001 - a fault of ours with one scan costs no other its deadline
            kept.failures.append((entry.scan_id, f"{type(exc).__name__}: {exc}"))
    return kept


def _put_off(entry: AgendaEntry, house: House) -> None:
    """Look again in an hour. First the later entry, so that what breaks off leaves two and not none."""
    house.table.plan_at(replace(entry, at=house.clock() + timedelta(seconds=LOOK_EVERY_S)))
    house.table.done(entry)


def _do(entry: AgendaEntry, house: House) -> Iterator[AgendaEntry]:
    """Do what the entry says; what there is to do later on."""
    scan, now = house.table.get_scan(entry.scan_id), house.clock()
    if scan is None:
        return
    if entry.what is What.EXPIRE:
        yield from _remove(scan, now, house)
    elif scan.shards_open == 0:
        settle(scan.scan_id, **house.closing)  # in case nobody announced its end
    elif entry.what is What.DEADLINE:
        yield from _end_overdue(scan, now, house)
    else:
        if entry.what is What.LOOK:
            send_again(scan, table=house.table, queues=house.queues, clock=house.clock)
            yield next_look(scan, now)
        elif change := next_change(scan, now):
            yield change
        release_next(scan, table=house.table, queues=house.queues, clock=house.clock)


def _end_overdue(scan: Scan, now: datetime, house: House) -> Iterator[AgendaEntry]:
    """Close what nobody works on. A worker that holds a shard stops by itself, and stores what it has."""
    working = False
    for shard in list(house.table.shards(scan.scan_id)):
        if shard.state not in OPEN_STATES:
            continue
        if _is_worked_on(shard, now):
            working = True
            continue
        closing = ShardClosing(
            state=ShardState.FAILED,
            outcome=Outcome.TIMED_OUT,
            error_description="the scan's deadline passed before it was scanned",
        )
        close_shard(scan.scan_id, shard.number, closing, **house.closing)
    if working:
        yield AgendaEntry(now + timedelta(seconds=LOOK_AGAIN_S), scan.scan_id, What.DEADLINE)


def _is_worked_on(shard: Shard, now: datetime) -> bool:
    """Held by a worker; or reported, and what reads the report has not had its time."""
    grace_s = REPORT_WITHIN_S if shard.state is ShardState.REPORTED else 0
    return shard.is_held(now - timedelta(seconds=grace_s))


def _remove(scan: Scan, now: datetime, house: House) -> Iterator[AgendaEntry]:
    """Objects first, the scan's own item last: what breaks off half way is found again."""
    again = AgendaEntry(now + timedelta(seconds=LOOK_AGAIN_S), scan.scan_id, What.EXPIRE)
    if scan.state not in FINAL_STATES or not (
        house.reports.remove_scan(scan.scan_id, MAX_REMOVED_AT_ONCE)
        and house.table.remove_scan(scan.scan_id, MAX_REMOVED_AT_ONCE)
    ):  # its results are being published
        yield again
