"""The messages about a certificate that ends soon: one for each threshold, and one when it is renewed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cascan.clock import to_wire
from cascan.messages.channel_settings import ChannelSettings
from cascan.messages.fields import Fields, build_attempt_fields
from cascan.messages.notices import build_notice_fields
from cascan.messages.render import render_message
from cascan.messages.send_next import Listener, Turn, send_next
from cascan.messages.watch_certificates import find_threshold
from cascan.model.certificate import WatchedCertificate
from cascan.model.finding import Severity
from cascan.model.message import CLOSED_STEPS, MessageAttempt, OutgoingMessage, Statement, Step

KIND = "certificate-ending"
SOON_DAYS = 7  # before that, a notice is of low severity


def send_certificate_message(
    certificate: WatchedCertificate, listener: Listener, days: Sequence[int], *, retries: bool = False
) -> Turn:
    """Take a turn of the thread of the certificate's place. `days`: the thresholds."""
    settings = listener.settings
    if not settings.notices:
        return Turn()
    now = listener.sender.clock()

    def decide(latest: Statement | None) -> Statement | None:
        if latest is None and not _concerns(certificate, settings):
            return None
        return decide_certificate(certificate, latest, now, days)

    def render(attempt: MessageAttempt) -> OutgoingMessage:
        fields = build_certificate_fields(certificate, attempt.statement, now)
        return render_message(
            fields | build_attempt_fields(certificate.key, attempt), settings.format, settings.template
        )

    return send_next(certificate.key, listener.sender, decide, render, retries=retries)


def _concerns(certificate: WatchedCertificate, settings: ChannelSettings) -> bool:
    """Whether the channel begins threads for the owner of its host, or it has none."""
    owners = settings.audience.owners
    return not certificate.owner or not owners or certificate.owner in owners


def decide_certificate(
    certificate: WatchedCertificate, latest: Statement | None, now: datetime, days: Sequence[int]
) -> Statement | None:
    """The next statement; None: nothing has changed. `latest`: the last one of the thread.

    The detail of a statement is the certificate's end and the threshold: `2026-12-20T00:00:00.000Z/7`.
    """
    end = to_wire(certificate.not_after)
    threshold = find_threshold(certificate.not_after, now, days)
    said_end, _, said_threshold = latest.detail.partition("/") if latest else ("", "", "")
    is_open = latest is not None and latest.step not in CLOSED_STEPS
    if threshold is None:
        is_renewed = is_open and said_end != end
        return Statement(step=Step.RESOLVED, detail=f"{end}/") if is_renewed else None
    if is_open and said_end == end and said_threshold.isdecimal() and int(said_threshold) <= threshold:
        return None
    return Statement(step=Step.NOTICE, severity=find_severity(threshold), detail=f"{end}/{threshold}")


def find_severity(threshold: int) -> Severity:
    if threshold == 0:
        return Severity.HIGH
    return Severity.MEDIUM if threshold <= SOON_DAYS else Severity.LOW


def build_certificate_fields(certificate: WatchedCertificate, statement: Statement, now: datetime) -> Fields:
    about = f"{certificate.address} tcp/{certificate.port}"
    headline = _build_headline(certificate, statement, now)
    verb = "ended" if certificate.not_after <= now else "ends"
    whose = f"The certificate for {certificate.name}" if certificate.name else "The certificate"
    sentence = f"{whose} {verb} at {to_wire(certificate.not_after)}. It was seen at {to_wire(certificate.seen_at)}."
    fields = build_notice_fields(
        KIND,
        f"{headline}: {about} ({statement.severity.value})",
        sentence,
        statement.severity,
        subject=about,
        address=certificate.address,
        port=str(certificate.port),
        vantage=certificate.vantage,
        hostname=certificate.hostname,
        owner=certificate.owner,
    )
    return fields | {"step": statement.step.value}


def _build_headline(certificate: WatchedCertificate, statement: Statement, now: datetime) -> str:
    if statement.step is Step.RESOLVED:
        return "Certificate renewed"
    if certificate.not_after <= now:
        return "Certificate has ended"
    days = (certificate.not_after - now).days
    return f"Certificate ends in {days} {'day' if days == 1 else 'days'}" if days else "Certificate ends within a day"
