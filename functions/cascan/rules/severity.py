"""An operator's rules on findings: another severity, suppressed, or accepted until a date with a reason.

A finding keeps all that was found: what a rule says of it stands in its attributes, and what the rule changed stands
beside it. So nothing is dropped, and a finding that was judged can be judged anew.

    attribute            says
    ───────────────────  ────────────────────────────────────────────────────────────────────
    severity_rules       names of the rules that fit
    original_severity    the severity as found, where a rule gave another
    original             other fields as found, where a rule gave others; those that a rule added stand in `added`
    suppressed           why it does not count
    accepted_until       the last day (UTC) on which it does not count; accepted_reason says why
    acceptance_ended     the day after which it was back

The date is compared with the time of the scan, not with the clock: a report gives the same findings on any day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from cascan.findings.to_json import merge_fields
from cascan.model.finding import Finding, Severity
from cascan.rules.matching import compile_pattern, matches

SUPPRESSED, ACCEPTED = "(suppressed)", "(accepted)"
MARKS = frozenset({"severity_rules", "original_severity", "original", "suppressed", "accepted_until", "accepted_reason",
                   "acceptance_ended"})  # fmt: skip
MAX_CATEGORIES_KEPT = 1_000  # whose rules are remembered


class Override(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a finding says instead. Attributes are added, over those of the same name, and mappings are merged.

    `added` holds fields that findings do not have by themselves: secureCodeBox's mitigation, a ticket's number.
    """

    severity: Severity | None = None
    name: str | None = None
    description: str | None = None
    category: str | None = None
    osi_layer: str | None = None
    location: str | None = None
    attributes: dict[str, Any] = {}
    added: dict[str, Any] = {}


class Acceptance(msgspec.Struct, frozen=True):
    until: date  # the last day, UTC
    reason: str


class SeverityRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Fits a finding that one of `any_of` matches. See cascan.rules.matching."""

    name: str
    any_of: tuple[dict[str, Any], ...]
    override: Override | None = None
    suppress: str = ""  # the reason
    accept: Acceptance | None = None


class StoredRules(msgspec.Struct, frozen=True, kw_only=True):
    """The stack's rules. `version` counts up from 1; `text` is the operator's file as it was."""

    version: int
    applied_at: datetime
    text: str
    rules: tuple[SeverityRule, ...]


class RuleSet:
    """Applies rules to findings, one after the other."""

    def __init__(self, rules: Iterable[SeverityRule]) -> None:
        self._rules = tuple(rules)
        self._tests = {rule.name: [compile_pattern(pattern) for pattern in rule.any_of] for rule in self._rules}
        self._by_category: dict[str, tuple[SeverityRule, ...]] = {}

    @property
    def has_rules(self) -> bool:
        """Whether it may change any finding at all."""
        return bool(self._rules)

    def apply(self, finding: Finding) -> Finding:
        """The finding with what every rule that fits says of it; where two disagree, the later one counts.

        Rules are compared with the finding as it was found, never with what an earlier rule made of it.
        """
        candidates = self._candidates(finding.category)
        if not candidates:
            return finding
        seen = _as_json(finding)
        fitting = [rule for rule in candidates if any(fits(seen) for fits in self._tests[rule.name])]
        return _with(finding, fitting) if fitting else finding

    def matching_rules(self, finding: Finding) -> tuple[str, ...]:
        """Names of the rules that fit."""
        return tuple(self.apply(finding).attributes.get("severity_rules", ()))

    def _candidates(self, category: str) -> tuple[SeverityRule, ...]:
        """The rules that may fit a finding of the category: most rules name one, and most findings have another."""
        known = self._by_category.get(category)
        if known is None:
            known = tuple(rule for rule in self._rules if any(_may_fit(pattern, category) for pattern in rule.any_of))
            if len(self._by_category) < MAX_CATEGORIES_KEPT:
                self._by_category[category] = known
        return known


def to_rule_set(stored: StoredRules | None) -> RuleSet:
    """A judge by the stack's rules; without any, one that leaves every finding as it is."""
    return RuleSet(stored.rules if stored else ())


def to_count_key(finding: Finding) -> str:
    """The kind under which a finding is counted: its severity, or that it was suppressed or accepted."""
    if "suppressed" in finding.attributes:
        return SUPPRESSED
    return ACCEPTED if "accepted_until" in finding.attributes else finding.severity.value


def undo_rules(finding: Finding) -> Finding:
    """The finding before any rule. An attribute that a rule added stays, for nobody knows what was there before it."""
    attributes = finding.attributes
    if MARKS.isdisjoint(attributes):
        return finding
    original: dict[str, Any] = dict(attributes.get("original") or {})
    if "original_severity" in attributes:
        original["severity"] = Severity(attributes["original_severity"])
    kept = {name: value for name, value in attributes.items() if name not in MARKS}
    kept |= original.pop("attributes", {})
    return replace(finding, attributes=kept, added=msgspec.UNSET, **original)


def _may_fit(pattern: Mapping[str, Any], category: str) -> bool:
    return "category" not in pattern or matches(pattern["category"], category)


def _as_json(finding: Finding) -> dict[str, Any]:
    fields = asdict(finding) | {"severity": finding.severity.value, "parsed_at": finding.parsed_at.isoformat()}
    fields.pop("added")
    return fields


def _with(finding: Finding, rules: list[SeverityRule]) -> Finding:
    changes, added, further = _overrides(rules)
    original = {name: getattr(finding, name) for name, value in changes.items() if getattr(finding, name) != value}
    marks: dict[str, Any] = {"severity_rules": [rule.name for rule in rules]}
    if "severity" in original:
        marks["original_severity"] = original.pop("severity").value
    replaced = {name: finding.attributes[name] for name in added if name in finding.attributes}
    if original or replaced:
        marks["original"] = original | ({"attributes": replaced} if replaced else {})
    marks |= _standing(rules, finding.parsed_at.date())
    attributes = marks | merge_fields(finding.attributes, added)  # the marks first: what is cut is cut last
    further = merge_fields(finding.added or {}, further)
    return replace(finding, attributes=attributes, added=further or msgspec.UNSET, **changes)


def _overrides(rules: list[SeverityRule]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Fields, attributes, and further fields that the rules give."""
    changes: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    further: dict[str, Any] = {}
    for rule in rules:
        if rule.override:
            given = asdict(rule.override)
            attributes = merge_fields(attributes, given.pop("attributes"))
            further = merge_fields(further, given.pop("added"))
            changes |= {name: value for name, value in given.items() if value is not None}
    return changes, attributes, further


def _standing(rules: list[SeverityRule], day: date) -> dict[str, Any]:
    """Suppressed wins over accepted; of two acceptances, the one that lasts longer."""
    suppressed = [rule.suppress for rule in rules if rule.suppress]
    if suppressed:
        return {"suppressed": suppressed[-1]}
    acceptances = [rule.accept for rule in rules if rule.accept]
    if not acceptances:
        return {}
    longest = max(acceptances, key=lambda acceptance: acceptance.until)
    if longest.until < day:
        return {"acceptance_ended": longest.until.isoformat()}
    return {"accepted_until": longest.until.isoformat(), "accepted_reason": longest.reason}
