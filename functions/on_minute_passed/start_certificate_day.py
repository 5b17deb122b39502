"""Ask for the daily check of certificates, where some are watched.

The next check is planned after the message is sent: a crash in between sends a second message, and a
certificate is announced once.
"""

from __future__ import annotations

from dataclasses import dataclass

from cascan.clock import Clock, to_wire
from cascan.exposure_updates.days import next_day
from cascan.gateways import CertificateWatches, RequestQueue
from cascan.messages.work import MessageWork
from cascan.model.certificate import CERTIFICATE_DAY_PREFIX, CertificateDay


@dataclass(frozen=True, slots=True)
class CertificateContext:
    """Where the check is planned, and the queue of the function that makes it."""

    watches: CertificateWatches
    queue: RequestQueue
    clock: Clock


def start_certificate_day(context: CertificateContext) -> bool:
    """Whether the check was due, and is asked for."""
    day, now = context.watches.certificate_day(), context.clock()
    if day is None or day.due_at > now:
        return False
    key = f"{CERTIFICATE_DAY_PREFIX}{to_wire(day.due_at)}"
    context.queue.send(MessageWork(scan_id="", cause_id=key, key=key).to_wire())
    context.watches.put_certificate_day(CertificateDay(due_at=next_day(now)))
    return True
