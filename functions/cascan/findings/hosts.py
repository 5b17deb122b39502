"""The finding of the host itself."""

from __future__ import annotations

from typing import Any

import msgspec

from cascan.findings.ports import script_attributes
from cascan.findings.subject import Subject
from cascan.model.finding import Finding
from cascan.model.host import ExtraPorts, Host

NO_SCRIPTS = script_attributes(())
DESCRIPTION, CATEGORY = "Found a host", "Host"


class HostAttributes(msgspec.Struct, frozen=True, gc=False):
    """The attributes of the host's finding, besides those that all findings of the host have."""

    reason: str
    reason_ttl: int | None
    timed_out: bool
    mac_vendor: str | None
    os_matches: list[dict[str, Any]]
    extraports: tuple[ExtraPorts, ...]
    details: dict[str, list[dict[str, Any]]] | None
    comment: str | None
    scripts: dict[str, str] | None
    scripts_data: dict[str, Any] | None

    @classmethod
    def of(cls, host: Host) -> HostAttributes:
        vendors = [address.vendor for address in host.addresses if address.vendor]
        outputs = script_attributes(host.scripts) if host.scripts else NO_SCRIPTS
        return cls(
            host.reason,
            host.reason_ttl,
            host.timed_out,
            vendors[0] if vendors else None,
            [{"name": match.name, "accuracy": match.accuracy} for match in host.os_matches],
            host.extraports,
            host.details or None,
            host.comment or None,
            outputs["scripts"],
            outputs["scripts_data"],
        )


def host_finding(subject: Subject) -> Finding:
    """The host, with all that nmap reports about it besides its ports."""
    return subject.finding(
        name=f"Host: {subject.label}",
        description=DESCRIPTION,
        category=CATEGORY,
        location=subject.label,
        attributes=msgspec.json.decode(msgspec.json.encode(HostAttributes.of(subject.host))),
    )
