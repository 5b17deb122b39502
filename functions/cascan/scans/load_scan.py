"""The scan that a message is about."""

from __future__ import annotations

from cascan.errors import MalformedMessage
from cascan.gateways import Scans
from cascan.log_context import add_log_context
from cascan.model.scan import Scan


def load_scan(table: Scans, scan_id: str) -> Scan:
    """The stored scan; log lines have its ids from now on.

    Raises: MalformedMessage: it does not exist.
    """
    add_log_context(scan_id=scan_id)
    scan = table.get_scan(scan_id)
    if scan is None:
        raise MalformedMessage(f"there is no scan {scan_id}")
    add_log_context(trace_id=scan.trace_id)
    return scan
