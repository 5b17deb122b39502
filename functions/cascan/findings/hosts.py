"""The finding that says: there is a host."""

from __future__ import annotations

from typing import Any

from cascan.findings.ports import script_attributes
from cascan.findings.subject import Subject
from cascan.model.finding import Finding
from cascan.model.host import ExtraPorts


def host_finding(subject: Subject) -> Finding:
    """The host itself, with all that nmap says of it besides its ports."""
    host = subject.host
    return subject.finding(
        name=f"Host: {subject.label}",
        description="Found a host",
        category="Host",
        location=subject.label,
        attributes={
            "reason": host.reason,
            "reason_ttl": host.reason_ttl,
            "timed_out": host.timed_out,
            "mac_vendor": next((address.vendor for address in host.addresses if address.vendor), None),
            "os_matches": [{"name": match.name, "accuracy": match.accuracy} for match in host.os_matches],
            "extraports": [_counted(extra) for extra in host.extraports],
            "details": host.details or None,
            "comment": host.comment or None,
        }
        | script_attributes(host.scripts),
    )


def _counted(extra: ExtraPorts) -> dict[str, Any]:
    reasons = [
        {"reason": reason.reason, "count": reason.count, "protocol": reason.protocol, "ports": reason.ports}
        for reason in extra.reasons
    ]
    return {"state": extra.state, "count": extra.count, "reasons": reasons}
