"""A rule's matches → a test of findings. The comparison itself is cascan.rules.matching's; here it is made fast.

Most rules name a category, and most findings have another: what is plain equality at the top of every matcher is
looked at first, without a walk through the attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cascan.cascades.rule import Matches
from cascan.rules.matching import compile_pattern

FindingTest = Callable[[Mapping[str, Any]], bool]


def compile_matcher(matches: Matches) -> FindingTest:
    """A test of a finding: one of anyOf fits, or there is none. The rule's expression is asked elsewhere."""
    fits_one = [_quick(matcher) for matcher in matches.any_of]

    def test(finding: Mapping[str, Any]) -> bool:
        for fit in fits_one:
            if fit(finding):
                return True
        return not fits_one

    return test


def _quick(matcher: Mapping[str, Any]) -> FindingTest:
    """The matcher, what is plain of it first: texts without wildcards and whole numbers, also in attributes."""
    plain, rest = _parted(matcher)
    attributes = rest.pop("attributes", {})
    plain_attributes, rest_attributes = _parted(attributes) if isinstance(attributes, dict) else ([], attributes)
    if rest_attributes:
        rest["attributes"] = rest_attributes
    fits_rest = compile_pattern(rest) if rest else None

    def fit(finding: Mapping[str, Any]) -> bool:
        for key, value in plain:
            if finding.get(key) != value:
                return False
        if plain_attributes:
            found = finding.get("attributes") or {}
            for key, value in plain_attributes:
                there = found.get(key)
                if there != value or there is True:  # which is 1, to Python
                    return False
        return fits_rest is None or fits_rest(finding)

    return fit


def _parted(matcher: Mapping[str, Any]) -> tuple[list[tuple[str, Any]], dict[str, Any]]:
    """What plain equality decides, and the rest."""
    plain = [(key, value) for key, value in matcher.items() if _is_plain(value)]
    return plain, {key: value for key, value in matcher.items() if not _is_plain(value)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return not ("*" in value or "\\" in value or value.startswith("!"))
    return type(value) is int and value != 0  # 0 is False, to Python
