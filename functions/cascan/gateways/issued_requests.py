"""Requests that cascan itself sends: those of cascades and of schedules."""

from __future__ import annotations

from typing import Protocol


class IssuedRequests(Protocol):
    """What was sent under which scan id. The reader of a request checks here where it came from."""

    def issue(self, scan_id: str, body: str) -> None:
        """Note a request before it is sent; a repeat changes nothing."""

    def was_issued(self, scan_id: str, digest: str) -> bool:
        """Whether a request with this digest of its body was noted for the scan, read consistently."""
