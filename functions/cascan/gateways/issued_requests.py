"""Requests that cascan itself sends: those of cascades and of schedules."""

from __future__ import annotations

from typing import Protocol


class IssuedRequests(Protocol):
    """The requests that cascan sent, by scan id. on_scan_requested checks that a request is one."""

    def issue(self, scan_id: str, body: str) -> None:
        """Record a request before it is sent. A repeat changes nothing."""

    def was_issued(self, scan_id: str, digest: str) -> bool:
        """Whether a request whose body has this digest was recorded for the scan."""
