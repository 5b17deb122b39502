"""The severity rules, applied to an exposure: its severity, and whether a rule accepts it.

The rules see an exposure as a finding of the category `Exposure`. This is the one place where they
meet the acceptance of a person, which goes before that of a rule.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from msgspec.structs import replace

from cascan.exposure.life import apply_rule
from cascan.model.exposure import SUPPRESSED_UNTIL, Exposure, ExposureAcceptance, ExposureKind
from cascan.model.finding import Finding, Severity
from cascan.rules.severity import RuleSet

CATEGORY = "Exposure"
NETWORK_LAYER = "NETWORK"
SEVERITIES: dict[str, Severity] = {
    ExposureKind.UNEXPECTED_OPEN: Severity.HIGH,
    ExposureKind.OTHER_SERVICE: Severity.HIGH,
    ExposureKind.MISSING: Severity.MEDIUM,
    ExposureKind.ABSENT: Severity.MEDIUM,
    ExposureKind.UNTESTED: Severity.LOW,
    ExposureKind.CHANGE: Severity.LOW,
}


def apply_severity_rules(exposure: Exposure, rules: RuleSet, at: datetime) -> Exposure:
    """The exposure with its severity, and accepted if a rule says so.

    A suppressed exposure is accepted without end, and its moves are not announced.
    """
    judged = rules.apply(to_finding(exposure, at))
    names = tuple(judged.attributes.get("severity_rules", ()))
    decided = replace(exposure, severity=judged.severity, severity_rules=names)
    if decided.is_new:
        return decided
    decided = apply_rule(decided, _find_acceptance(judged, names, at))
    return replace(decided, pending=()) if is_suppressed(decided) else decided


def is_suppressed(exposure: Exposure) -> bool:
    return exposure.acceptance is not None and exposure.acceptance.until == SUPPRESSED_UNTIL


def to_finding(exposure: Exposure, at: datetime) -> Finding:
    """The exposure as the severity rules see it."""
    subject = exposure.subject
    port = f"{subject.protocol}/{subject.port}" if subject.protocol else "host"
    attributes: dict[str, Any] = {
        "kind": subject.kind,
        "vantage": subject.vantage,
        "ip_address": subject.address,
        "ip_addresses": [subject.address],
        "hostname": exposure.hostname,
        "protocol": subject.protocol,
        "port": subject.port,
        "owner": exposure.owner,
        "line": exposure.line,
    }
    return Finding(
        id=exposure.exposure_id,
        fingerprint=exposure.exposure_id,
        parsed_at=at,
        name=f"{port}: {subject.kind}",
        description=exposure.sentence,
        category=CATEGORY,
        severity=exposure.found_severity or SEVERITIES.get(subject.kind, Severity.MEDIUM),
        osi_layer=NETWORK_LAYER,
        location=f"{subject.protocol or 'ip'}://{subject.address}:{subject.port}",
        attributes=attributes,
    )


def _find_acceptance(judged: Finding, names: tuple[str, ...], at: datetime) -> ExposureAcceptance | None:
    """The acceptance that the rules give; None: they give none."""
    attributes, rules = judged.attributes, ", ".join(names)
    if "suppressed" in attributes:
        until, why = SUPPRESSED_UNTIL, str(attributes["suppressed"])
    elif "accepted_until" in attributes:
        until, why = date.fromisoformat(attributes["accepted_until"]), str(attributes["accepted_reason"])
    else:
        return None
    return ExposureAcceptance(by=f"severity rule {rules}", at=at, until=until, why=why, rule=rules)
