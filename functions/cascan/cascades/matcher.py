"""A rule's matches → a test of findings. cascan.rules.matching compares; this module makes it fast.

Most rules name a category, and most findings have another one. Plain equality is therefore checked
first, without a walk through the attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cascan.cascades.rule import Matches
from cascan.rules.matching import compile_pattern

FindingTest = Callable[[Mapping[str, Any]], bool]


def compile_matcher(matches: Matches) -> FindingTest:
    """A test of a finding: one of anyOf matches, or anyOf is empty.

    The rule's expression is evaluated elsewhere.
    """
    tests = [_compile_one(matcher) for matcher in matches.any_of]

    def matches_any(finding: Mapping[str, Any]) -> bool:
        for test in tests:
            if test(finding):
                return True
        return not tests

    return matches_any


def _compile_one(matcher: Mapping[str, Any]) -> FindingTest:
    """A test of one matcher that compares its plain values first, also those in attributes."""
    plain, patterns = _split_plain(matcher)
    attributes = patterns.pop("attributes", {})
    plain_attributes: list[tuple[str, Any]] = []
    if isinstance(attributes, dict):
        plain_attributes, attributes = _split_plain(attributes)
    if attributes:
        patterns["attributes"] = attributes
    matches_patterns = compile_pattern(patterns) if patterns else None

    def matches_one(finding: Mapping[str, Any]) -> bool:
        for key, value in plain:
            if finding.get(key) != value:
                return False
        if plain_attributes:
            values = finding.get("attributes") or {}
            for key, value in plain_attributes:
                actual = values.get(key)
                if actual != value or actual is True:  # which equals 1 in Python
                    return False
        return matches_patterns is None or matches_patterns(finding)

    return matches_one


def _split_plain(matcher: Mapping[str, Any]) -> tuple[list[tuple[str, Any]], dict[str, Any]]:
    """The entries that plain equality decides, and all others."""
    plain = [(key, value) for key, value in matcher.items() if _is_plain(value)]
    return plain, {key: value for key, value in matcher.items() if not _is_plain(value)}


def _is_plain(value: Any) -> bool:
    """A text without wildcards and negation, or a whole number."""
    if isinstance(value, str):
        return not ("*" in value or "\\" in value or value.startswith("!"))
    return type(value) is int and value != 0  # 0 equals False in Python
