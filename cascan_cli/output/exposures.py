"""An exposure as text and as JSON: its age, and why it has its state."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from cascan.clock import to_wire
from cascan.exposure_updates.apply_severity_rules import is_suppressed
from cascan.model.exposure import Exposure
from cascan_cli.output.principals import describe_principal


def format_age(since: datetime | None, now: datetime) -> str:
    if since is None:
        return ""
    seconds = max(0, int((now - since).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def exposure_to_json(exposure: Exposure, now: datetime) -> dict[str, Any]:
    subject, acceptance = exposure.subject, exposure.acceptance
    first_seen = exposure.first_seen
    return {
        "id": exposure.exposure_id,
        "kind": subject.kind,
        "state": exposure.state.value,
        "severity": exposure.severity.value,
        "vantage": subject.vantage,
        "address": subject.address,
        "hostname": exposure.hostname,
        "protocol": subject.protocol,
        "port": subject.port,
        "owner": exposure.owner,
        "sentence": exposure.sentence,
        "line": exposure.line,
        "age_seconds": int((now - first_seen).total_seconds()) if first_seen else None,
        "first_seen": to_wire(first_seen) if first_seen else None,
        "last_seen": to_wire(exposure.last_seen) if exposure.last_seen else None,
        "accepted_until": acceptance.until.isoformat() if acceptance else None,
        "severity_rules": list(exposure.severity_rules),
    }


def list_reasons(exposure: Exposure) -> Iterator[str]:
    """What it is about, and which entry, looks, rules and decisions led to its state and severity."""
    subject = exposure.subject
    yield f"{subject.kind}: {subject.protocol}/{subject.port} of {subject.address}, seen from {subject.vantage}"
    yield exposure.sentence
    if exposure.line:
        owner = f", owner {exposure.owner}" if exposure.owner else ""
        yield f"line {exposure.line} of the file, version {exposure.judged_by}{owner}"
    for look in reversed(exposure.looks):
        shows = "shows it" if look.holds else "does not show it"
        yield f"{to_wire(look.seen_at)} {look.report_key} {shows}"
    if exposure.severity_rules:
        yield f"severity rules that match: {', '.join(exposure.severity_rules)}"
    if exposure.acknowledgement:
        known = exposure.acknowledgement
        yield f"acknowledged by {describe_principal(known.by)} at {to_wire(known.at)}: {known.why or 'no reason'}"
    if exposure.acceptance:
        accepted = exposure.acceptance
        until = "without end" if is_suppressed(exposure) else f"until {accepted.until}"
        yield f"accepted by {describe_principal(accepted.by)} {until}: {accepted.why}"
