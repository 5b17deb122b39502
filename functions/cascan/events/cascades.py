"""Events of cascades: a scan to run elsewhere, and findings that no scan follows."""

from __future__ import annotations

from typing import Any

from cascan.events.message import BusEvent


class CascadeRequested(BusEvent, frozen=True, kw_only=True):
    """A rule asks for a scan by another scanner.

    A subscriber of yours can run it from `request`.
    """

    rule: str
    scan_type: str
    request: dict[str, Any]  # a `Scan` manifest of secureCodeBox
    findings: tuple[str, ...]  # the first ids of the findings that matched
    count: int  # of findings that matched


class CascadeCapped(BusEvent, frozen=True, kw_only=True):
    """No scan follows these findings, because a cap of the cascade was reached."""

    rule: str
    cap: str  # depth, fan-out, scans, probes or cost
    reason: str
    findings: tuple[str, ...]
    count: int


class CascadeRefused(BusEvent, frozen=True, kw_only=True):
    """No scan follows these findings: out of scope, the request would be refused, or the rule
    failed.
    """

    rule: str
    kind: str  # out of scope, refused or failed
    reason: str  # with the values compared
    findings: tuple[str, ...]
    count: int
