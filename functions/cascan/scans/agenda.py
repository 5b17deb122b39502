"""Agenda entries of a scan: what on_minute_passed has to do with it, and when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from cascan.limits import LOOK_AGAIN_S, LOOK_EVERY_S
from cascan.model.agenda import AgendaEntry, AgendaTask
from cascan.model.scan import Scan
from cascan.model.shard import Lane
from cascan.timing.windows import Window, find_opening


def initial_entries(scan: Scan, lane: Lane) -> Iterator[AgendaEntry]:
    """The entries of an accepted scan.

    They are its deadline, the next change of its windows, and a check for lost messages.

    An express scan needs no such check: SQS delivers its only message to the Lambda until the shard
    is closed.
    """
    if scan.deadline_at:
        yield AgendaEntry(scan.deadline_at, scan.scan_id, AgendaTask.DEADLINE)
    if change := next_window_change(scan, scan.requested_at):
        yield change
    if lane is not Lane.EXPRESS:
        yield next_check(scan, scan.requested_at)


def next_window_change(scan: Scan, now: datetime) -> AgendaEntry | None:
    """The entry for the next time its windows open or close; None: it has no windows."""
    hours = find_opening([Window.parse(text) for text in scan.windows], now)
    return AgendaEntry(hours.until, scan.scan_id, AgendaTask.RELEASE) if hours else None


def next_minute(now: datetime) -> datetime:
    """The time of a check that is due soon.

    It is the same for all calls within a minute, so that they share one entry.
    """
    return now.replace(second=0, microsecond=0) + timedelta(seconds=LOOK_AGAIN_S)


def next_check(scan: Scan, now: datetime) -> AgendaEntry:
    """The entry for the next check for lost messages."""
    """The entry for the next check for lost messages."""
    return AgendaEntry(now + timedelta(seconds=LOOK_EVERY_S), scan.scan_id, AgendaTask.LOOK)


def expiry_entry(scan: Scan) -> AgendaEntry | None:
    """The entry for the removal of the ended scan; None: it is kept."""
    if scan.expires_after_s is None or scan.finished_at is None:
        return None
    return AgendaEntry(
        scan.finished_at + timedelta(seconds=scan.expires_after_s),
        scan.scan_id,
        AgendaTask.EXPIRE,
    )
