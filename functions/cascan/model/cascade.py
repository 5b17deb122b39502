"""What the table stores of cascades: rules with their versions, children of scans, and why there
are no others.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec


class Cap(StrEnum):
    """The caps of a cascade, under the names that people read."""

    DEPTH = "depth"  # of scans that follow each other
    FAN_OUT = "fan-out"  # children of one scan
    SCANS = "scans"  # below one root scan, at any depth
    PROBES = "probes"  # addresses times ports, below one root scan
    COST = "cost"  # estimated, below one root scan


class BudgetUse(msgspec.Struct, frozen=True):
    """What one child, or all children below a root scan, use of the budget."""

    scans: int = 0
    probes: int = 0
    cost_micro_usd: int = 0

    def __add__(self, other: BudgetUse) -> BudgetUse:
        return BudgetUse(
            self.scans + other.scans, self.probes + other.probes, self.cost_micro_usd + other.cost_micro_usd
        )

    def __sub__(self, other: BudgetUse) -> BudgetUse:
        return BudgetUse(
            self.scans - other.scans, self.probes - other.probes, self.cost_micro_usd - other.cost_micro_usd
        )


class ChildIdentity(msgspec.Struct, frozen=True):
    """What a child scans, so that no other scan of its cascade requests the same."""

    rule: str
    base: str  # a digest of everything but targets and ports
    ports: tuple[int, ...] = ()  # empty: as the rule says
    targets: tuple[str, ...] = ()


class Reservation(StrEnum):
    """The result of reserving a child."""

    RESERVED = "reserved"  # now, or by an earlier delivery
    ASKED = "asked"  # requested by another scan of the cascade already
    FULL = "full"  # the root scan's budget does not suffice


class StoredRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that an operator stored. `version` counts from 1; 0 is a bundled rule."""

    name: str
    version: int
    document: dict[str, Any]
    stored_at: datetime | None = None


class StoredChild(msgspec.Struct, frozen=True, kw_only=True):
    """One child of a scan, reserved in the root scan's budget.

    `body`: its request, or the manifest for another scanner.
    """

    key: str
    rule: str
    scan_id: str  # of the child; empty where another scanner runs it
    name: str
    scan_type: str
    parameters: tuple[str, ...] = ()
    targets: int = 0
    count: int = 0  # of findings that matched
    findings: tuple[str, ...] = ()  # the first ids of them
    weight: BudgetUse = BudgetUse()
    asked: ChildIdentity | None = None
    body: str = ""
    sent: bool = False


class CascadeLine(msgspec.Struct, frozen=True, kw_only=True):
    """Findings that led to no child, and why."""

    kind: str
    rule: str
    reason: str
    count: int = 0
    cap: str = ""
    findings: tuple[str, ...] = ()


class CascadeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided about a scan's findings.

    The rules are pinned first, so that a repeat decides the same.
    """

    rules: dict[str, int]  # name → version
    decided: bool = False
    lines: tuple[CascadeLine, ...] = ()
    more: int = 0  # lines beyond the first MAX_DECISIONS_KEPT
