"""What is to be done with a scan later on: entries that on_minute_passed finds when their time has come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from cascan.limits import LOOK_AGAIN_S, LOOK_EVERY_S
from cascan.model.agenda import AgendaEntry, AgendaTask
from cascan.model.scan import Scan
from cascan.model.shard import Lane
from cascan.timing.windows import Window, find_opening


def initial_entries(scan: Scan, lane: Lane) -> Iterator[AgendaEntry]:
    """What an accepted scan is looked at for: its deadline, its windows, and whether anything of it is left lying.

    An express scan has a single message, which its queue hands to a Lambda until somebody closed its shard.
    """
    if scan.deadline_at:
        yield AgendaEntry(scan.deadline_at, scan.scan_id, AgendaTask.DEADLINE)
    if change := next_window_change(scan, scan.requested_at):
        yield change
    if lane is not Lane.EXPRESS:
        yield next_check(scan, scan.requested_at)


def next_window_change(scan: Scan, now: datetime) -> AgendaEntry | None:
    """When its windows open or close next; None: it has none."""
    hours = find_opening([Window.parse(text) for text in scan.windows], now)
    return AgendaEntry(hours.until, scan.scan_id, AgendaTask.RELEASE) if hours else None


def next_minute(now: datetime) -> datetime:
    """For what is looked at again soon: several who plan it in one minute plan one entry."""
    return now.replace(second=0, microsecond=0) + timedelta(seconds=LOOK_AGAIN_S)


def next_check(scan: Scan, now: datetime) -> AgendaEntry:
    return AgendaEntry(now + timedelta(seconds=LOOK_EVERY_S), scan.scan_id, AgendaTask.LOOK)


def expiry_entry(scan: Scan) -> AgendaEntry | None:
    """When the ended scan is to be removed; None: never."""
    if scan.expires_after_s is None or scan.finished_at is None:
        return None
    return AgendaEntry(scan.finished_at + timedelta(seconds=scan.expires_after_s), scan.scan_id, AgendaTask.EXPIRE)
