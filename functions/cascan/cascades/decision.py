"""What is decided about a scan's findings and rules: one value for each child, and one for each
reason to have none.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from cascan.model.cascade import BudgetUse, ChildIdentity


class DecisionKind(StrEnum):
    """What is done about findings that a rule matches."""

    START = "start"  # a scan by cascan
    REQUEST = "request"  # a scan by another scanner: announced by an event, for others to run
    DUPLICATE = "duplicate"  # already requested for another finding
    UNCHANGED = "unchanged"  # the rule follows only new and changed findings
    OUT_OF_SCOPE = "out of scope"
    CAPPED = "capped"
    REFUSED = "refused"  # the request would not be accepted
    LOOP = "loop"  # the rule was already applied in this chain of scans
    FAILED = "failed"  # the rule itself, or its expression for some findings


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """One scan to request."""

    key: str  # derived from the content: the same child of the same scan has the same key
    name: str
    scan_type: str
    parameters: tuple[str, ...]  # without targets, where cascan runs it
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
    count: int = 0  # of findings
    findings: tuple[str, ...] = ()  # the first MAX_FINDINGS_LISTED ids of them
    cap: str = ""  # the cap that was reached
    child: Child | None = None
