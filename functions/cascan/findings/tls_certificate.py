"""Findings of ssl-cert: the certificate, and its flaws at the time of the scan.

Names and category of the flaws are those of secureCodeBox's TLS scanner. Expiry is compared with
the time of the scan, never with the clock, so that a report gives the same findings on any day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, NamedTuple

from cascan.findings.script_run import ScriptRun, get_table, get_text
from cascan.model.finding import Finding, Severity

EXPIRES_SOON = timedelta(days=30)
WEAK_BITS = {
    "rsa": 2048,
    "dsa": 2048,
    "dh": 2048,
    "ec": 224,
}  # fewer are weak. Source: NIST SP 800-131A
BROKEN_BITS = {"rsa": 1024, "dsa": 1024, "dh": 1024, "ec": 160}
MAX_BITS_DIGITS = 6
BROKEN_DIGESTS = ("md2", "md4", "md5")
ALTERNATIVE_NAMES = "X509v3 Subject Alternative Name"
DATES = re.compile(r"Not valid (before|after): +(\S+(?: \d\S*)?)")  # in the text of an old nmap


class Flaw(NamedTuple):
    """A problem of a certificate, as its finding describes it."""

    name: str
    description: str
    severity: Severity
    facts: dict[str, Any] = {}  # noqa: RUF012 (never modified)
    category: str = "Invalid Certificate"


class Certificate(NamedTuple):
    subject: dict[str, str]
    issuer: dict[str, str]
    names: tuple[str, ...]  # the host names it is valid for
    not_before: datetime | None
    not_after: datetime | None
    key_type: str
    key_bits: int
    signature: str
    sha1: str

    @property
    def is_self_signed(self) -> bool:
        return bool(self.subject) and self.subject == self.issuer


def ssl_cert(run: ScriptRun) -> Iterator[Finding]:
    """A finding for the certificate, and one for each of its flaws."""
    certificate = parse_certificate(run)
    names = ", ".join(certificate.names[:5]) or "no name"
    yield run.finding(
        "certificate",
        name="TLS Certificate",
        description=f"{run.where} presents a certificate for {names}",
        category="TLS Certificate",
        subject=certificate.subject,
        issuer=certificate.issuer,
        names=list(certificate.names),
        not_before=_wire(certificate.not_before),
        not_after=_wire(certificate.not_after),
        key_type=certificate.key_type or None,
        key_bits=certificate.key_bits or None,
        signature_algorithm=certificate.signature or None,
        sha1=certificate.sha1 or None,
    )
    flaws = chain(
        _validity_flaws(certificate, run.subject.parsed_at),
        _trust_flaws(certificate),
        _hostname_flaws(certificate, run.subject.asked_name),
    )
    for flaw in flaws:
        yield run.finding(
            flaw.name,
            name=flaw.name,
            description=f"{run.where}: {flaw.description}",
            category=flaw.category,
            severity=flaw.severity,
            **flaw.facts,
        )


def parse_certificate(run: ScriptRun) -> Certificate:
    """The certificate, from the structured output.

    Old versions of nmap have the dates alone, as text.
    """
    data = run.data
    key, validity = get_table(data, "pubkey"), get_table(data, "validity")
    dates = {} if data else dict(DATES.findall(run.output))
    subject = _parse_name(data, "subject")
    common_name = subject.get("commonName", "")
    return Certificate(
        subject=subject,
        issuer=_parse_name(data, "issuer"),
        names=_parse_alternative_names(data) or ((common_name,) if common_name else ()),
        not_before=_parse_time(get_text(validity, "notBefore") or dates.get("before", "")),
        not_after=_parse_time(get_text(validity, "notAfter") or dates.get("after", "")),
        key_type=get_text(key, "type"),
        key_bits=_parse_bits(get_text(key, "bits")),
        signature=get_text(data, "sig_algo"),
        sha1=get_text(data, "sha1"),
    )


def matches_hostname(pattern: str, name: str) -> bool:
    """Whether a certificate's name is valid for this host.

    `*` matches the whole first label only. Source: RFC 6125.
    """
    pattern, name = pattern.lower().rstrip("."), name.lower().rstrip(".")
    return pattern == name or (pattern.startswith("*.") and pattern[2:] == name.partition(".")[2])


def _validity_flaws(certificate: Certificate, now: datetime) -> Iterator[Flaw]:
    not_before, not_after = certificate.not_before, certificate.not_after
    if not_before and now < not_before:
        start = _wire(not_before)
        description = f"the certificate is valid from {start} on"
        yield Flaw("Certificate not yet valid", description, Severity.MEDIUM, {"not_before": start})
    if not_after is None:
        return
    remaining = not_after - now
    if not_after < now:
        end = _wire(not_after)
        description = f"the certificate expired at {end}"
        yield Flaw("Expired Certificate", description, Severity.MEDIUM, {"not_after": end})
    elif remaining < EXPIRES_SOON:
        end = _wire(not_after)
        description = f"the certificate expires in {remaining.days} days, at {end}"
        facts = {"not_after": end, "days_left": remaining.days}
        yield Flaw("Certificate expires soon", description, Severity.LOW, facts, "TLS Certificate")


def _trust_flaws(certificate: Certificate) -> Iterator[Flaw]:
    if certificate.is_self_signed:
        description = "the certificate is signed by itself"
        yield Flaw("Self-Signed Certificate", description, Severity.MEDIUM)
    key_type, bits = certificate.key_type, certificate.key_bits
    if 0 < bits < WEAK_BITS.get(key_type, 0):
        severity = Severity.HIGH if bits < BROKEN_BITS[key_type] else Severity.MEDIUM
        description = f"the certificate's {key_type.upper()} key has {bits} bits"
        facts = {"key_type": key_type, "key_bits": bits}
        yield Flaw("Weak Certificate Key", description, severity, facts)
    if not certificate.is_self_signed:  # its own signature protects nothing
        yield from _signature_flaws(certificate)


def _signature_flaws(certificate: Certificate) -> Iterator[Flaw]:
    signature = certificate.signature.lower()
    is_broken = any(digest in signature for digest in BROKEN_DIGESTS)
    if is_broken or "sha1" in signature:
        severity = Severity.HIGH if is_broken else Severity.MEDIUM
        facts = {"signature_algorithm": certificate.signature}
        yield Flaw(
            "Weak Certificate Signature",
            f"the certificate is signed with {signature}",
            severity,
            facts,
        )


def _hostname_flaws(certificate: Certificate, asked: str | None) -> Iterator[Flaw]:
    """`asked`: the name that the request contains.

    A name from reverse DNS is not compared: anybody can set it.
    """
    if (
        asked
        and asked.isascii()
        and certificate.names
        and not any(matches_hostname(name, asked) for name in certificate.names)
    ):
        facts = {"asked_name": asked, "names": list(certificate.names)}
        description = f"the certificate is not for {asked}"
        yield Flaw("Invalid Hostname", description, Severity.MEDIUM, facts)


def _parse_name(data: dict[str, Any], key: str) -> dict[str, str]:
    """The fields of a distinguished name: `commonName`, `organizationName` …"""
    return {field: value for field, value in get_table(data, key).items() if isinstance(value, str)}


def _parse_bits(text: str) -> int:
    """0: not a number, or longer than any key."""
    return int(text) if text.isdecimal() and len(text) <= MAX_BITS_DIGITS else 0


def _parse_alternative_names(data: dict[str, Any]) -> tuple[str, ...]:
    """The DNS names among the subject's alternative names."""
    extensions = data.get("extensions")
    for extension in extensions if isinstance(extensions, list) else []:
        if get_text(extension, "name") == ALTERNATIVE_NAMES:
            entries = (entry.strip() for entry in get_text(extension, "value").split(","))
            dns_entries = (entry for entry in entries if entry.startswith("DNS:"))
            return tuple(entry.removeprefix("DNS:") for entry in dns_entries)
    return ()


def _parse_time(text: str) -> datetime | None:
    """The time in UTC: nmap writes it with and without a zone. None: not a time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _wire(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
