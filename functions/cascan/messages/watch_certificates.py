"""The certificates that end soon: taken from findings, kept, and announced once for each threshold. Pure.

A threshold is a number of days before the end; 0 is the end itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from cascan.findings.by_host import find_address, find_port_key
from cascan.limits import (
    CERTIFICATE_SEEN_DAYS,
    MAX_CERTIFICATE_DAYS,
    MAX_CERTIFICATE_NAME_CHARS,
    MAX_WATCHED_CERTIFICATES,
    NOTICE_DAYS,
)
from cascan.messages.inert_text import clean_text
from cascan.model.certificate import CertificateWatch, WatchedCertificate
from cascan.model.finding import Finding

CATEGORY = "TLS Certificate"
HORIZON = timedelta(days=MAX_CERTIFICATE_DAYS)


def read_certificate(finding: Finding, vantage: str, seen_at: datetime) -> WatchedCertificate | None:
    """None: the finding is not about a certificate whose end is known."""
    port, address = find_port_key(finding), find_address(finding)
    if finding.category != CATEGORY or port is None or not address:
        return None
    try:
        not_after = datetime.fromisoformat(str(finding.attributes.get("not_after")))
    except ValueError:
        return None
    if not_after.tzinfo is None:
        return None
    name = clean_text(_find_name(finding), MAX_CERTIFICATE_NAME_CHARS)
    return WatchedCertificate(
        vantage=vantage,
        address=address,
        port=port[1],
        not_after=not_after,
        name=name,
        seen_at=seen_at,
        hostname=clean_text(str(finding.attributes.get("hostname") or ""), MAX_CERTIFICATE_NAME_CHARS),
    )


def _find_name(finding: Finding) -> str:
    names, subject = finding.attributes.get("names"), finding.attributes.get("subject")
    if isinstance(names, list) and names:
        return str(names[0])
    return str(subject.get("commonName") or "") if isinstance(subject, dict) else ""


def update_watch(watch: CertificateWatch, seen: Iterable[WatchedCertificate], now: datetime) -> CertificateWatch:
    """The watch with what a scan saw. What a later scan saw at a place stays.

    Certificates that end within MAX_CERTIFICATE_DAYS begin to be watched. At a place with several
    names, the certificate that ends first counts. Of more than MAX_WATCHED_CERTIFICATES, those that
    end first stay.
    """
    places = {certificate.key: certificate for certificate in watch.certificates}
    for key, certificate in _find_first_ends(seen).items():
        stored = places.get(key)
        if stored is None:
            if certificate.not_after <= now + HORIZON:
                places[key] = certificate
        elif stored.seen_at < certificate.seen_at:
            places[key] = _follow(stored, certificate)
    current = sorted(
        (certificate for certificate in places.values() if _is_current(certificate, now)),
        key=lambda certificate: (not certificate.is_renewed, certificate.not_after, certificate.key),
    )
    return replace(watch, certificates=tuple(current[:MAX_WATCHED_CERTIFICATES]))


def _find_first_ends(seen: Iterable[WatchedCertificate]) -> dict[str, WatchedCertificate]:
    places: dict[str, WatchedCertificate] = {}
    for certificate in seen:
        other = places.get(certificate.key)
        if other is None or certificate.not_after < other.not_after:
            places[certificate.key] = certificate
    return places


def _follow(stored: WatchedCertificate, certificate: WatchedCertificate) -> WatchedCertificate:
    if stored.not_after == certificate.not_after:
        return replace(certificate, announced=stored.announced, is_renewed=stored.is_renewed)
    return replace(certificate, is_renewed=stored.is_renewed or stored.announced is not None)


def _is_current(certificate: WatchedCertificate, now: datetime) -> bool:
    """Whether it is worth a message: it was seen of late, and has not ended long ago."""
    is_seen = certificate.seen_at >= now - timedelta(days=CERTIFICATE_SEEN_DAYS)
    return is_seen and certificate.not_after >= now - timedelta(days=NOTICE_DAYS)


def find_threshold(not_after: datetime, now: datetime, days: Iterable[int]) -> int | None:
    """The fewest days that are reached; None: it is too early."""
    if not_after <= now:
        return 0
    reached = [number for number in days if not_after <= now + timedelta(days=number)]
    return min(reached, default=None)


def list_due(watch: CertificateWatch, now: datetime, days: Sequence[int]) -> list[WatchedCertificate]:
    """The certificates about which a message is due, those that end first at the front."""
    if not days:
        return []
    return [certificate for certificate in watch.certificates if _is_due(certificate, now, days)]


def _is_due(certificate: WatchedCertificate, now: datetime, days: Sequence[int]) -> bool:
    threshold = find_threshold(certificate.not_after, now, days)
    if certificate.is_renewed:
        return True
    return threshold is not None and (certificate.announced is None or threshold < certificate.announced)


def mark_announced(
    watch: CertificateWatch, due: Iterable[WatchedCertificate], now: datetime, days: Sequence[int]
) -> CertificateWatch:
    """The watch once these were handed to the channels. What changed since stays due."""
    done = {(certificate.key, certificate.not_after) for certificate in due}
    marked = (
        replace(certificate, announced=find_threshold(certificate.not_after, now, days), is_renewed=False)
        if (certificate.key, certificate.not_after) in done
        else certificate
        for certificate in watch.certificates
    )
    return replace(watch, certificates=tuple(marked))
