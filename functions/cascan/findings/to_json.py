"""A finding as others read it: secureCodeBox's format, with the scan that it is of and what severity rules added."""

from __future__ import annotations

from typing import Any

import msgspec

from cascan.clock import to_wire
from cascan.model.finding import Finding
from cascan.model.request import ScanType
from cascan.model.scan import Scan

NAMESPACE = "default"  # Kubernetes'; a stack has none, and secureCodeBox's format asks for one


def scan_fields(scan: Scan, scan_type: str = "") -> dict[str, str]:
    """What a finding says of its scan: `created_at`, `name`, `namespace`, `scan_type`.

    `scan_type`: another scanner's; empty: as the scan was asked for.
    """
    asked = scan.request.scan_type if scan.request else None
    return {
        "created_at": to_wire(scan.requested_at),
        "name": scan.name,
        "namespace": NAMESPACE,
        "scan_type": scan_type or str(asked or ScanType.NMAP),
    }


def to_json(finding: Finding, scan: dict[str, str] | None = None) -> dict[str, Any]:
    """The finding as JSON; `scan` is what `scan_fields` gives. Fields that a rule added win over those of the scan."""
    fields: dict[str, Any] = msgspec.to_builtins(finding)
    added = fields.pop("added", {})
    return merge_fields(fields | ({"scan": scan} if scan else {}), added)


def merge_fields(fields: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Both; where both have a mapping, both of these; else what is `over`."""
    both = {
        name: merge_fields(fields[name], value)
        for name, value in over.items()
        if isinstance(value, dict) and isinstance(fields.get(name), dict)
    }
    return fields | over | both
