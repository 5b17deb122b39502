"""What is decided about a scan's findings and rules: a value for each child, and for each reason why there is none."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from cascan.model.cascade import BudgetUse, ChildIdentity


class DecisionKind(StrEnum):
    """What becomes of findings that a rule is about."""

    START = "start"  # a scan of ours
    REQUEST = "request"  # a scan of another scanner: an event, for others to take up
    DUPLICATE = "duplicate"  # asked for already by another finding
    UNCHANGED = "unchanged"  # the rule follows new and changed findings alone
    OUT_OF_SCOPE = "out of scope"
    CAPPED = "capped"
    REFUSED = "refused"  # no request that would be accepted comes of it
    LOOP = "loop"  # the rule led here already
    FAILED = "failed"  # the rule itself, or its expression over some findings


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """One scan to ask for."""

    key: str  # derived from what it is: the same child of the same scan has it again
    name: str
    scan_type: str
    parameters: tuple[str, ...]  # without targets where it is ours
    targets: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    carried: dict[str, Any] = {}
    ttl_seconds_after_finished: int | None = None
    suspend: bool = False
    weight: BudgetUse = BudgetUse()
    asked: ChildIdentity | None = None


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    kind: DecisionKind
    rule: str
    reason: str  # one sentence
    count: int = 0  # findings it is about
    findings: tuple[str, ...] = ()  # the first MAX_FINDINGS_LISTED ids of them
    cap: str = ""  # which, of a capped one
    child: Child | None = None
