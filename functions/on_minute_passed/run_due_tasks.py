"""Run the tasks of the agenda that are due.

Each may run twice: its entry is removed only after it has run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace

from cascan.clock import TimeLeft, no_time_limit
from cascan.errors import CascanError, UnreadableItem
from cascan.gateways import ReportStore, ScanGateways
from cascan.limits import (
    LOOK_EVERY_S,
    MAX_DUE_AT_ONCE,
    MAX_REMOVED_AT_ONCE,
    MAX_ROUNDS,
    MIN_TIME_LEFT_S,
    STUCK_AFTER_S,
)
from cascan.log_context import add_log_context, clear_log_context
from cascan.model.agenda import AgendaEntry, AgendaTask
from cascan.model.scan import FINAL_STATES, Scan
from cascan.scans.agenda import next_check, next_minute, next_window_change
from cascan.scans.close import settle_scan
from cascan.scans.close_open_shards import Remaining, close_open_shards, is_over
from cascan.scans.release import release_waiting, resend_messages

STUCK_AFTER = timedelta(seconds=STUCK_AFTER_S)


@dataclass(slots=True)
class TasksDone:
    """What was done, for the log."""

    done: dict[str, int] = field(default_factory=dict)  # entries, by task
    # Scan and error; they stay on the agenda
    failures: list[tuple[str, str]] = field(default_factory=list)
    # Scans that should have ended, or moved on, an hour ago
    stuck: list[str] = field(default_factory=list)


def run_due_tasks(
    gateways: ScanGateways,
    reports: ReportStore,
    left_s: TimeLeft = no_time_limit,
) -> TasksDone:
    """Run due tasks while there is time; the next tick runs the others.

    A task that fails does not affect the others.

    Tasks run in rounds of MAX_DUE_AT_ONCE entries. A task that needs another invocation is due
    again at once, after the other entries that are due.
    """
    results, seen = TasksDone(), set[AgendaEntry]()
    for _ in range(MAX_ROUNDS):
        due = gateways.table.due(gateways.clock(), MAX_DUE_AT_ONCE)
        entries = [entry for entry in due if entry not in seen]
        for entry in entries:
            if left_s() < MIN_TIME_LEFT_S:
                return results
            seen.add(entry)
            _run_and_record(entry, gateways, reports, left_s, results)
            clear_log_context()
        if not entries:
            break
    return results


def _run_and_record(
    entry: AgendaEntry,
    gateways: ScanGateways,
    reports: ReportStore,
    left_s: TimeLeft,
    results: TasksDone,
) -> None:
    add_log_context(scan_id=entry.scan_id)
    if gateways.clock() - entry.due_at > STUCK_AFTER:  # it has failed at every tick since
        results.stuck.append(entry.scan_id)
    try:
        follow_ups = list(_run_task(entry, gateways, reports, left_s))
        for follow_up in follow_ups:
            gateways.table.add_to_agenda(follow_up)
        if entry not in follow_ups:
            gateways.table.done(entry)
        if follow_ups and _is_long_overdue(entry, gateways):
            results.stuck.append(entry.scan_id)
        results.done[entry.task.value] = results.done.get(entry.task.value, 0) + 1
    except UnreadableItem as exc:
        # Of another version, or damaged: it must not delay the other entries
        results.failures.append((entry.scan_id, str(exc)))
        _postpone(entry, gateways)
    except CascanError as exc:
        results.failures.append((entry.scan_id, str(exc)))
    except Exception as exc:  # noqa: BLE001 - one scan's bug must not cost another its deadline
        results.failures.append((entry.scan_id, f"{type(exc).__name__}: {exc}"))


def _is_long_overdue(entry: AgendaEntry, gateways: ScanGateways) -> bool:
    """Of a scan that its deadline has not ended yet."""
    scan = gateways.table.get_scan(entry.scan_id) if entry.task is AgendaTask.DEADLINE else None
    return scan is not None and scan.is_overdue(gateways.clock() - STUCK_AFTER)


def _postpone(entry: AgendaEntry, gateways: ScanGateways) -> None:
    """Try again in an hour.

    The new entry is written first: a crash leaves two entries rather than none.
    """
    due_at = gateways.clock() + timedelta(seconds=LOOK_EVERY_S)
    gateways.table.add_to_agenda(replace(entry, due_at=due_at))
    gateways.table.done(entry)


def _run_task(
    entry: AgendaEntry, gateways: ScanGateways, reports: ReportStore, left_s: TimeLeft
) -> Iterator[AgendaEntry]:
    """Run the task of the entry; the entries that follow from it."""
    scan, now = gateways.table.get_scan(entry.scan_id), gateways.clock()
    if scan is None:
        return
    if entry.task is AgendaTask.EXPIRE:
        yield from _remove_scan(scan, now, gateways, reports)
    elif scan.shards_open == 0:
        settle_scan(scan.scan_id, gateways)  # its end may not be announced yet
    elif is_over(scan, now):
        yield from _end_scan(scan, entry.task, gateways, left_s)
    else:
        if entry.task is AgendaTask.LOOK:
            resend_messages(scan, gateways)
            yield next_check(scan, now)
        elif window_change := next_window_change(scan, now):
            yield window_change
        release_waiting(scan, gateways)


def _end_scan(
    scan: Scan,
    task: AgendaTask,
    gateways: ScanGateways,
    left_s: TimeLeft,
) -> Iterator[AgendaEntry]:
    """Close open shards of a scan that is cancelled or past its deadline."""
    remaining = close_open_shards(scan, gateways, left_s=left_s)
    settled, now = settle_scan(scan.scan_id, gateways), gateways.clock()
    if remaining is Remaining.MORE:
        yield AgendaEntry(now, scan.scan_id, task)
    elif remaining is Remaining.WORKERS:
        yield AgendaEntry(next_minute(now), scan.scan_id, AgendaTask.DEADLINE)
    elif settled and settled.shards_open:
        # Shards that are counted but not stored yet: planning will end the scan
        yield next_check(scan, now)


def _remove_scan(
    scan: Scan,
    now: datetime,
    gateways: ScanGateways,
    reports: ReportStore,
) -> Iterator[AgendaEntry]:
    """Remove the objects first and the scan's item last, so that a removal can be continued."""
    if scan.state not in FINAL_STATES:  # its results are being published
        yield AgendaEntry(next_minute(now), scan.scan_id, AgendaTask.EXPIRE)
        return
    is_removed = reports.remove_scan(scan.scan_id, MAX_REMOVED_AT_ONCE)
    if is_removed:
        is_removed = gateways.table.remove_scan(scan.scan_id, MAX_REMOVED_AT_ONCE)
    if not is_removed:
        yield AgendaEntry(gateways.clock(), scan.scan_id, AgendaTask.EXPIRE)
