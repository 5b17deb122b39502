"""What a list of findings shows beside the name: product, title, certificate, weak algorithms and the like."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from cascan.model.finding import Finding

HOST = "Host"
SHOWN_VALUES = 6  # of a list; `cascan explain` has all
# The attributes that say most of a finding that is not about a port or a host, in the order in which they are shown.
ATTRIBUTES = (
    "title",
    "server",
    "banner",
    "told",
    "risky_methods",
    "missing_headers",
    "files",
    "auth_methods",
    "algorithms",
    "weak_ciphers",
    "weak_encryption",
    "tls_versions",
    "product",
    "share",
    "target",
    "system_description",
)


def describe_detail(finding: Finding, now: datetime | None = None) -> str:
    """One line; empty if the name says it all. `now`: how long a certificate is valid is shown in days."""
    return " ".join(part for part in _list_parts(finding, now) if part)


def describe_validity(not_after: object, now: datetime | None) -> str:
    """The end of a certificate: `until 2027-01-03, 34 days left` or `expired 3 days ago`."""
    try:
        end = datetime.fromisoformat(str(not_after))
    except ValueError:  # a finding of another scanner
        return f"until {not_after}"
    if now is None:
        return f"until {end.date()}"
    days = (end.date() - now.date()).days
    if end.tzinfo and end < now and days == 0:
        return "expired today"
    if days < 0:
        return f"expired {_count_days(-days)} ago"
    return f"until {end.date()}, {_count_days(days)} left"


def _list_parts(finding: Finding, now: datetime | None) -> Iterator[str]:
    attributes = finding.attributes
    yield _to_text(attributes.get("serviceProduct"))
    yield _to_text(attributes.get("serviceVersion"))
    details = attributes.get("service_details")
    if isinstance(details, dict) and details.get("extrainfo"):
        yield f"({_to_text(details['extrainfo'])})"
    if finding.category == HOST:
        yield _to_text(attributes.get("operating_system"))
    yield next((text for name in ATTRIBUTES if (text := _to_text(attributes.get(name)))), "")
    if attributes.get("not_after"):
        subject = attributes.get("subject")
        yield _to_text(subject.get("commonName")) if isinstance(subject, dict) else ""
        yield describe_validity(attributes["not_after"], now)
    if attributes.get("cvss"):
        yield f"CVSS {_to_text(attributes['cvss'])}"


def _to_text(value: Any) -> str:
    """One line: the first line of a text, or the first elements of a list."""
    if isinstance(value, list):
        texts = [_to_text(element) for element in value[:SHOWN_VALUES]]
        others = len(value) - SHOWN_VALUES
        return ", ".join(filter(None, texts)) + (f" and {others} more" if others > 0 else "")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    lines = str(value).strip().splitlines()
    return lines[0].strip() if lines else ""


def _count_days(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"
