"""An operator's rules on findings: change the severity, suppress, or accept until a date.

Rules never remove anything from a finding. They add attributes, and the original of what they
change stays in these:

    attribute            meaning
    ───────────────────  ────────────────────────────────────────────────────────────────────
    severity_rules       names of the rules that match
    original_severity    the severity without rules, if a rule changed it
    original             other fields and attributes without rules, if a rule changed them
    suppressed           the reason why it does not count
    accepted_until       the last day (UTC) on which it does not count
    accepted_reason      the reason for that
    acceptance_ended     the last day of an acceptance that is over: the finding counts again

So rules can be undone, and new rules applied. Dates are compared with the time of the scan, never
with the clock: a report gives the same findings on any day.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import asdict, replace

from cascan.findings.to_json import merge_fields
from cascan.model.finding import Finding, Severity
from cascan.rules.matching import compile_pattern, matches

SUPPRESSED, ACCEPTED = "(suppressed)", "(accepted)"
MARKS = frozenset({"severity_rules", "original_severity", "original", "suppressed", "accepted_until", "accepted_reason",
                   "acceptance_ended"})  # fmt: skip
MAX_CATEGORIES_CACHED = 1_000


class Override(msgspec.Struct, frozen=True, omit_defaults=True):
    """New values for fields of a finding. Attributes are merged recursively into its own.

    `added` has further top-level fields that findings do not have by themselves: secureCodeBox's
    mitigation, a ticket.
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
    """A rule for findings that match one of `any_of`. See cascan.rules.matching."""

    name: str
    any_of: tuple[dict[str, Any], ...]
    override: Override | None = None
    suppress: str = ""  # the reason
    accept: Acceptance | None = None


class StoredRules(msgspec.Struct, frozen=True, kw_only=True):
    """The stack's rules. `version` counts from 1; `text` is the operator's file, unchanged."""

    version: int
    applied_at: datetime
    text: str
    rules: tuple[SeverityRule, ...]


class RuleSet:
    """Rules, compiled to be applied to many findings."""

    def __init__(self, rules: Iterable[SeverityRule]) -> None:
        self._rules = tuple(rules)
        self._matchers = {rule.name: [compile_pattern(pattern) for pattern in rule.any_of] for rule in self._rules}
        self._by_category: dict[str, tuple[SeverityRule, ...]] = {}

    @property
    def has_rules(self) -> bool:
        """Whether it can change any finding."""
        return bool(self._rules)

    def apply(self, finding: Finding) -> Finding:
        """The finding, changed by all rules that match. If two disagree, the later one wins.

        Every rule is compared with the original finding, never with the result of an earlier rule.
        """
        candidates = self._find_candidates(finding.category)
        if not candidates:
            return finding
        fields = _to_fields(finding)
        matching = [rule for rule in candidates if self._matches(rule, fields)]
        return _apply_rules(finding, matching) if matching else finding

    def _matches(self, rule: SeverityRule, fields: dict[str, Any]) -> bool:
        return any(matcher(fields) for matcher in self._matchers[rule.name])

    def _find_candidates(self, category: str) -> tuple[SeverityRule, ...]:
        """The rules that can match a finding of the category: most rules name another one."""
        candidates = self._by_category.get(category)
        if candidates is None:
            candidates = tuple(rule for rule in self._rules if _can_match(rule, category))
            if len(self._by_category) < MAX_CATEGORIES_CACHED:
                self._by_category[category] = candidates
        return candidates


def to_rule_set(stored: StoredRules | None) -> RuleSet:
    """The stack's rules. Without stored rules the set is empty, and changes no finding."""
    return RuleSet(stored.rules if stored else ())


def to_count_key(finding: Finding) -> str:
    """What the finding is counted as: its severity, `(suppressed)` or `(accepted)`."""
    if "suppressed" in finding.attributes:
        return SUPPRESSED
    return ACCEPTED if "accepted_until" in finding.attributes else finding.severity.value


def undo_rules(finding: Finding) -> Finding:
    """The finding without rules.

    An attribute that a rule added stays, because its original state is not stored.
    """
    attributes = finding.attributes
    if MARKS.isdisjoint(attributes):
        return finding
    original: dict[str, Any] = dict(attributes.get("original") or {})
    if "original_severity" in attributes:
        original["severity"] = Severity(attributes["original_severity"])
    unmarked = {name: value for name, value in attributes.items() if name not in MARKS}
    unmarked |= original.pop("attributes", {})
    return replace(finding, attributes=unmarked, added=msgspec.UNSET, **original)


def _can_match(rule: SeverityRule, category: str) -> bool:
    return any("category" not in pattern or matches(pattern["category"], category) for pattern in rule.any_of)


def _to_fields(finding: Finding) -> dict[str, Any]:
    fields = asdict(finding) | {
        "severity": finding.severity.value,
        "parsed_at": finding.parsed_at.isoformat(),
    }
    fields.pop("added")
    return fields


def _apply_rules(finding: Finding, rules: list[SeverityRule]) -> Finding:
    override = _merge_overrides(rules)
    marks: dict[str, Any] = {"severity_rules": [rule.name for rule in rules]}
    marks |= _original_marks(finding, override)
    marks |= _exemption_marks(rules, finding.parsed_at.date())
    # The marks come first, because a finding that is too large is truncated at the end.
    attributes = marks | merge_fields(finding.attributes, override.attributes)
    added = merge_fields(finding.added or {}, override.added)
    return replace(finding, attributes=attributes, added=added or msgspec.UNSET, **override.fields)


class _MergedOverride(NamedTuple):
    """The overrides of several rules as one."""

    fields: dict[str, Any]
    attributes: dict[str, Any]
    added: dict[str, Any]


def _merge_overrides(rules: list[SeverityRule]) -> _MergedOverride:
    merged = _MergedOverride({}, {}, {})
    for rule in rules:
        if rule.override:
            override = asdict(rule.override)
            attributes = merge_fields(merged.attributes, override.pop("attributes"))
            added = merge_fields(merged.added, override.pop("added"))
            fields = {name: value for name, value in override.items() if value is not None}
            merged = _MergedOverride(merged.fields | fields, attributes, added)
    return merged


def _original_marks(finding: Finding, override: _MergedOverride) -> dict[str, Any]:
    """The original values of what the override changes."""
    marks: dict[str, Any] = {}
    current = {name: getattr(finding, name) for name in override.fields}
    original = {name: value for name, value in current.items() if value != override.fields[name]}
    if "severity" in original:
        marks["original_severity"] = original.pop("severity").value
    overridden = [name for name in override.attributes if name in finding.attributes]
    attributes = {name: finding.attributes[name] for name in overridden}
    if attributes:
        original["attributes"] = attributes
    if original:
        marks["original"] = original
    return marks


def _exemption_marks(rules: list[SeverityRule], day: date) -> dict[str, Any]:
    """Suppression takes precedence over acceptance, and a longer acceptance over a shorter one."""
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
