"""The scan that a message is about."""

from __future__ import annotations

from cascan.errors import MalformedMessage
from cascan.gateways import Scans
from cascan.model.scan import Scan


def load_scan(table: Scans, scan_id: str) -> Scan:
    """The stored scan. Raises: MalformedMessage: it does not exist."""
    scan = table.get_scan(scan_id)
    if scan is None:
        raise MalformedMessage(f"there is no scan {scan_id}")
    return scan
