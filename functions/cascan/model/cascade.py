"""What the table keeps of cascades: rules with their versions, the children of a scan, and why there are no more."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec


class Cap(StrEnum):
    """The caps of a cascade, by the names under which a person reads of them."""

    DEPTH = "depth"  # rules after one another
    FAN_OUT = "fan-out"  # children of one scan
    SCANS = "scans"  # below one root scan, however deep
    PROBES = "probes"  # hosts times ports, likewise
    COST = "cost"  # estimated, likewise


class BudgetUse(msgspec.Struct, frozen=True):
    """What children count for: one child, or all below a root scan."""

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
    """What a child asks for, so that no other scan of its cascade asks for it again."""

    rule: str
    base: str  # a digest of all but targets and ports
    ports: tuple[int, ...] = ()  # none: as the rule has them
    targets: tuple[str, ...] = ()


class Reservation(StrEnum):
    """What came of reserving a child."""

    RESERVED = "reserved"  # now, or by an earlier delivery
    ASKED = "asked"  # by another scan of the cascade
    FULL = "full"  # the root scan's budget does not hold it


class StoredRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as it was applied. `version` counts from 1; 0 is a bundled one."""

    name: str
    version: int
    document: dict[str, Any]
    stored_at: datetime | None = None


class StoredChild(msgspec.Struct, frozen=True, kw_only=True):
    """One child of a scan, reserved in the root scan's budget. `body` is its request, or the manifest for others."""

    key: str
    rule: str
    scan_id: str  # the child's own; empty where another scanner runs it
    name: str
    scan_type: str
    parameters: tuple[str, ...] = ()
    targets: int = 0
    count: int = 0  # findings that asked for it
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
    """What was decided about a scan's findings. The rules are fixed before, so that a repeat decides the same."""

    rules: dict[str, int]  # name → version
    decided: bool = False
    lines: tuple[CascadeLine, ...] = ()
    more: int = 0  # lines beyond the first MAX_DECISIONS_KEPT
