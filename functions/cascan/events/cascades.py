"""What the findings of a scan asked for."""

from __future__ import annotations

from typing import Any

from cascan.events.message import BusEvent


class CascadeRequested(BusEvent, frozen=True, kw_only=True):
    """A rule asks for a scan of another scanner. `request` is the whole of it, for a subscriber of yours to take up."""

    rule: str
    scan_type: str
    request: dict[str, Any]  # a Scan manifest of secureCodeBox
    findings: tuple[str, ...]  # the first ids of those that asked for it
    count: int  # of them


class CascadeCapped(BusEvent, frozen=True, kw_only=True):
    """Findings were not followed, because a cap of the cascade was reached."""

    rule: str
    cap: str  # depth, fan-out, scans, probes or cost
    reason: str
    findings: tuple[str, ...]
    count: int


class CascadeRefused(BusEvent, frozen=True, kw_only=True):
    """Findings were not followed: out of scope, no request that would be accepted, or the rule itself failed."""

    rule: str
    kind: str  # out of scope, refused or failed
    reason: str  # with what was compared
    findings: tuple[str, ...]
    count: int
