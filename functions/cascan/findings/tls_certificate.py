"""Findings of ssl-cert: what the certificate says, and what is wrong with it when the report was made.

Names and category of what is wrong are those of secureCodeBox's TLS scanner. Whether it has expired is judged by the
time of the scan, never by the clock: the same report gives the same findings on any day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from cascan.findings.script_run import ScriptRun, get_table, get_text
from cascan.model.finding import Finding, Severity

EXPIRES_SOON = timedelta(days=30)
WEAK_BITS = {"rsa": 2048, "dsa": 2048, "dh": 2048, "ec": 224}  # fewer are weak. Source: NIST SP 800-131A
BROKEN_BITS = {"rsa": 1024, "dsa": 1024, "dh": 1024, "ec": 160}
ALTERNATIVE_NAMES = "X509v3 Subject Alternative Name"
DATES = re.compile(r"Not valid (before|after): +(\S+(?: \d\S*)?)")  # the text, where an old nmap has nothing else


class Flaw(NamedTuple):
    """What is wrong with a certificate."""

    name: str
    description: str
    severity: Severity
    facts: dict[str, Any] = {}  # noqa: RUF012 (a tuple's default that nobody changes)
    category: str = "Invalid Certificate"


class Certificate(NamedTuple):
    subject: dict[str, str]
    issuer: dict[str, str]
    names: tuple[str, ...]  # of hosts it is for
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
    """The certificate, and a finding for each of its flaws."""
    certificate = parse_certificate(run)
    yield run.finding(
        "certificate",
        name="TLS Certificate",
        description=f"{run.where} shows a certificate for {', '.join(certificate.names[:5]) or 'no name'}",
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
    flaws = [*_of_time(certificate, run.subject.parsed_at), *_of_trust(certificate), *_of_name(certificate, run)]
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
    data, key = run.data, get_table(run.data, "pubkey")
    subject = {name: value for name, value in get_table(data, "subject").items() if isinstance(value, str)}
    issuer = {name: value for name, value in get_table(data, "issuer").items() if isinstance(value, str)}
    dates = dict(DATES.findall(run.output)) if not data else {}
    bits = get_text(key, "bits")
    return Certificate(
        subject=subject,
        issuer=issuer,
        names=_names(data) or tuple(filter(None, [subject.get("commonName", "")])),
        not_before=_moment(get_text(get_table(data, "validity"), "notBefore") or dates.get("before", "")),
        not_after=_moment(get_text(get_table(data, "validity"), "notAfter") or dates.get("after", "")),
        key_type=get_text(key, "type"),
        key_bits=int(bits) if bits.isdecimal() and len(bits) < len("1000000") else 0,
        signature=get_text(data, "sig_algo"),
        sha1=get_text(data, "sha1"),
    )


def matches_hostname(pattern: str, name: str) -> bool:
    """Whether a certificate's name is for this host; `*` stands for the first label, and for that alone. RFC 6125."""
    pattern, name = pattern.lower().rstrip("."), name.lower().rstrip(".")
    return pattern == name or (pattern.startswith("*.") and pattern[2:] == name.partition(".")[2])


def _of_time(certificate: Certificate, now: datetime) -> Iterator[Flaw]:
    before, after = certificate.not_before, certificate.not_after
    if before and now < before:
        description = f"the certificate is valid from {_wire(before)} on"
        yield Flaw("Certificate not yet valid", description, Severity.MEDIUM, {"not_before": _wire(before)})
    if after and after < now:
        description, facts = f"the certificate expired at {_wire(after)}", {"not_after": _wire(after)}
        yield Flaw("Expired Certificate", description, Severity.MEDIUM, facts)
    elif after and after - now < EXPIRES_SOON:
        days = (after - now).days
        description = f"the certificate expires in {days} days, at {_wire(after)}"
        left = {"not_after": _wire(after), "days_left": days}
        yield Flaw("Certificate expires soon", description, Severity.LOW, left, "TLS Certificate")


def _of_trust(certificate: Certificate) -> Iterator[Flaw]:
    if certificate.is_self_signed:
        yield Flaw("Self-Signed Certificate", "the certificate is signed by itself", Severity.MEDIUM)
    kind, bits = certificate.key_type, certificate.key_bits
    if 0 < bits < WEAK_BITS.get(kind, 0):
        severity = Severity.HIGH if bits < BROKEN_BITS[kind] else Severity.MEDIUM
        description = f"the certificate's {kind.upper()} key has {bits} bits"
        yield Flaw("Weak Certificate Key", description, severity, {"key_type": kind, "key_bits": bits})
    signature = certificate.signature.lower()
    broken = any(digest in signature for digest in ("md2", "md4", "md5"))
    if not certificate.is_self_signed and (broken or "sha1" in signature):  # nobody checks what signs itself
        severity = Severity.HIGH if broken else Severity.MEDIUM
        facts = {"signature_algorithm": certificate.signature}
        yield Flaw("Weak Certificate Signature", f"the certificate is signed with {signature}", severity, facts)


def _of_name(certificate: Certificate, run: ScriptRun) -> Iterator[Flaw]:
    """Judged for a name that the scan was asked for. A name from reverse DNS is nobody's claim."""
    asked = run.subject.asked_name
    if (
        asked
        and asked.isascii()
        and certificate.names
        and not any(matches_hostname(name, asked) for name in certificate.names)
    ):
        facts = {"asked_name": asked, "names": list(certificate.names)}
        yield Flaw("Invalid Hostname", f"the certificate is not for {asked}", Severity.MEDIUM, facts)


def _names(data: dict[str, Any]) -> tuple[str, ...]:
    """The DNS names among the alternative ones."""
    extensions = data.get("extensions")
    for extension in extensions if isinstance(extensions, list) else []:
        if get_text(extension, "name") == ALTERNATIVE_NAMES:
            entries = (entry.strip() for entry in get_text(extension, "value").split(","))
            return tuple(entry.removeprefix("DNS:") for entry in entries if entry.startswith("DNS:"))
    return ()


def _moment(written: str) -> datetime | None:
    """nmap writes UTC, with and without saying so."""
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _wire(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
