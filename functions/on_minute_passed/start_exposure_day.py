"""Ask for the daily check of exposures, where a file of expected exposure is stored.

The next check is planned after the message is sent: a crash in between sends a second message, which
does no harm. The check itself plans the next day again when it is done.
"""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from cascan.clock import Clock, to_wire
from cascan.exposure_updates.days import next_day
from cascan.exposure_updates.work import build_day_work
from cascan.gateways import Exposures, RequestQueue


@dataclass(frozen=True, slots=True)
class DailyContext:
    """Where the check is planned, and the queue of the function that makes it."""

    table: Exposures
    queue: RequestQueue
    clock: Clock


def start_exposure_day(context: DailyContext) -> bool:
    """Whether the check was due, and is asked for."""
    day, now = context.table.exposure_day(), context.clock()
    if day is None or day.due_at > now:
        return False
    context.queue.send(build_day_work(f"exposure-day/{to_wire(day.due_at)}").to_wire())
    context.table.put_exposure_day(replace(day, due_at=next_day(now)))
    return True
