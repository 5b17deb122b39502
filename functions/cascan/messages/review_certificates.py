"""Certificates that end soon: what a scan saw of them, and about which ones a message is due.

They are reviewed when a scan ends, and once a day.

The works are taken before it is stored that they were. So a process that ends in between repeats them,
and no thread gets a message twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from msgspec.structs import replace

from cascan.errors import GatewayUnavailable
from cascan.exposure_updates.days import next_day
from cascan.gateways import CertificateWatches
from cascan.limits import MAX_CERTIFICATE_NOTICES, MAX_THREAD_WRITES
from cascan.messages.fields import Fields
from cascan.messages.notices import build_notice_fields
from cascan.messages.send_certificate_message import KIND
from cascan.messages.watch_certificates import find_threshold, list_due, mark_announced, update_watch
from cascan.messages.work import MessageWork
from cascan.model.certificate import CertificateDay, CertificateWatch, WatchedCertificate
from cascan.model.finding import Severity

CERTIFICATES = "certificates"  # the beginning of the key of a summary
Change = Callable[[CertificateWatch], CertificateWatch]


def review_certificates(
    cause: MessageWork,
    seen: Iterable[WatchedCertificate],
    watches: CertificateWatches,
    now: datetime,
    days: Sequence[int],
) -> Iterator[MessageWork]:
    """Store what a scan saw. Yields the threads in which a message may be due.

    `cause`: the work of the summary. `seen`: nothing at the daily check, which is planned from the first
    watched certificate on.

    At most MAX_CERTIFICATE_NOTICES of them, and one that counts the others. Each work has to be taken
    before the next one is asked for: after the last one, they are stored as announced.

    Raises: GatewayUnavailable: other writers were faster.
    """
    certificates = list(seen)
    watch = _change(watches, lambda current: update_watch(current, certificates, now))
    if watch.certificates and watches.certificate_day() is None:
        watches.put_certificate_day(CertificateDay(due_at=next_day(now)))
    due = list_due(watch, now, days)
    for certificate in due[:MAX_CERTIFICATE_NOTICES]:
        yield replace(cause, key=certificate.key)
    others = [
        certificate
        for certificate in due[MAX_CERTIFICATE_NOTICES:]
        if find_threshold(certificate.not_after, now, days) is not None
    ]
    if others:
        yield replace(cause, notice=build_summary(others, max(days)))
    if due:
        _change(watches, lambda current: mark_announced(current, due, now, days))


def build_summary(others: Sequence[WatchedCertificate], days: int) -> Fields:
    """The notice of certificates beyond MAX_CERTIFICATE_NOTICES."""
    title = f"{len(others)} more certificates end within {days} days, or have ended ({Severity.MEDIUM.value})"
    nearest = others[0]
    sentence = f"The first of them is at {nearest.address} tcp/{nearest.port}. `cascan findings` lists all."
    return build_notice_fields(KIND, title, sentence, Severity.MEDIUM)


def _change(watches: CertificateWatches, change: Change) -> CertificateWatch:
    for _ in range(MAX_THREAD_WRITES):
        stored = watches.certificate_watch()
        changed = change(stored)
        if changed == stored:
            return stored
        changed = replace(changed, version=stored.version + 1)
        if watches.put_certificate_watch(changed):
            return changed
    raise GatewayUnavailable("other writers kept changing the watched certificates")
