"""A pattern against a finding: the comparison of cascading rules and of severity rules.

A pattern holds what is asked for, and nothing else is looked at; it is compared with the finding as JSON has it:

    mapping   every key of the pattern is there, and its value matches; further keys of the finding do not matter
    list      every entry of the pattern matches some entry of the finding's list, in any order
    text      equal, or: `*` stands for any text, also none; a leading `!` negates; a backslash makes the next
              character plain. The whole text, case as written
    the rest  equal and of one type: 443 is not "443", true is not 1, null is not a key that is missing

Wildcards and `!` apply to text alone: `"!443"` does not match the number 80, nor a key that is missing.
Source: secureCodeBox's cascading hook, which compares with lodash's isMatchWith and the library matcher.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

PATTERNS_KEPT = 4_096


def matches(pattern: Any, value: Any) -> bool:
    """Whether the value is what the pattern asks for. No pattern takes longer than its length times the value's."""
    if isinstance(pattern, str):
        return isinstance(value, str) and (pattern == value or glob_of(pattern).fits(value))
    if isinstance(pattern, Mapping):
        return isinstance(value, Mapping) and all(
            key in value and matches(wanted, value[key]) for key, wanted in pattern.items()
        )
    if isinstance(pattern, (list, tuple)):
        return isinstance(value, (list, tuple)) and all(
            any(matches(wanted, entry) for entry in value) for wanted in pattern
        )
    if isinstance(pattern, bool) or isinstance(value, bool):
        return pattern is value
    return bool(pattern == value)


class Glob(NamedTuple):
    """A text pattern, cut at its wildcards."""

    negated: bool
    parts: tuple[str, ...]

    def fits(self, text: str) -> bool:
        return self._is_like(text) is not self.negated

    def _is_like(self, text: str) -> bool:
        """Each part is taken where it first comes: with `*` as the only wildcard, there is no need to go back."""
        first, *between = self.parts
        if not between:
            return text == first
        last = between.pop()
        at, end = len(first), len(text) - len(last)
        if at > end or not text.startswith(first) or not text.endswith(last):
            return False
        for part in between:
            at = text.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return True


@lru_cache(PATTERNS_KEPT)
def glob_of(pattern: str) -> Glob:
    """The pattern, read once."""
    negated = pattern.startswith("!")
    parts, part, is_plain = [], "", False
    for character in pattern[negated:]:
        if is_plain or character not in "*\\":
            part, is_plain = part + character, False
        elif character == "\\":
            is_plain = True
        else:
            parts.append(part)
            part = ""
    return Glob(negated, (*parts, part + "\\" * is_plain))
