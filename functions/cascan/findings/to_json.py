"""A finding → JSON in secureCodeBox's format, with its scan and what severity rules added."""

from __future__ import annotations

from typing import Any

import msgspec

from cascan.clock import to_wire
from cascan.model.finding import Finding
from cascan.model.request import ScanType
from cascan.model.scan import Scan

NAMESPACE = "default"  # secureCodeBox's format requires a Kubernetes namespace; a stack has none


def scan_fields(scan: Scan, scan_type: str = "") -> dict[str, str]:
    """What a finding says about its scan: `created_at`, `name`, `namespace`, `scan_type`.

    `scan_type` is set for findings of another scanner; else it is the request's.
    """
    requested_type = scan.request.scan_type if scan.request else None
    return {
        "created_at": to_wire(scan.requested_at),
        "name": scan.name,
        "namespace": NAMESPACE,
        "scan_type": scan_type or str(requested_type or ScanType.NMAP),
    }


def to_json(finding: Finding, scan: dict[str, str] | None = None) -> dict[str, Any]:
    """The finding as JSON values. `scan` comes from `scan_fields`.

    A field that a rule added takes precedence over `scan`.
    """
    fields: dict[str, Any] = msgspec.to_builtins(finding)
    added = fields.pop("added", {})
    if scan:
        fields["scan"] = scan
    return merge_fields(fields, added)


def merge_fields(fields: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """`fields` with `overrides` in their place. Mappings that both have are merged likewise."""
    merged = fields | overrides
    for name, value in overrides.items():
        original = fields.get(name)
        if isinstance(value, dict) and isinstance(original, dict):
            merged[name] = merge_fields(original, value)
    return merged
