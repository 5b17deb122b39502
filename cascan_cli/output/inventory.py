"""Ports of the inventory as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cascan.model.inventory import PortRecord


def known_port_to_json(port: PortRecord) -> dict[str, Any]:
    """The shape *known port* of docs/output.md."""
    latest = port.latest
    return {
        "protocol": port.protocol,
        "port": port.port,
        "state": latest.state,
        "service": latest.service,
        "product": latest.product,
        "version": latest.version,
        "firstSeen": port.first_seen,
        "lastSeen": port.last_seen,
        "lastScan": latest.scan_id,
    }
