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

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from cascan.limits import MAX_PATTERN_CHARS, MAX_PATTERN_ENTRIES

PATTERNS_KEPT = 4_096

Matcher = Callable[[Any], bool]


def matches(pattern: Any, value: Any) -> bool:
    """Whether the value is what the pattern asks for. No pattern takes longer than its length times the value's."""
    return compile_pattern(pattern)(value)


def check_pattern(pattern: Any, path: str) -> Iterator[str]:
    """What makes a pattern too much work for each finding: too many entries, too long a text."""
    entries, waiting = 0, [pattern]
    while waiting and entries <= MAX_PATTERN_ENTRIES:
        one = waiting.pop()
        if isinstance(one, str) and len(one) > MAX_PATTERN_CHARS:
            yield f"{path}: a text of {len(one)} characters is longer than {MAX_PATTERN_CHARS}"
        elif isinstance(one, Mapping):
            waiting += one.values()
            entries += len(one)
        elif isinstance(one, list | tuple):
            waiting += one
            entries += len(one)
    if entries > MAX_PATTERN_ENTRIES:
        yield f"{path}: it has more than {MAX_PATTERN_ENTRIES} entries; write several of anyOf"


def compile_pattern(pattern: Any) -> Matcher:
    """The pattern as a test, made once for many values."""
    if isinstance(pattern, str):
        return _text_test(pattern)
    if isinstance(pattern, Mapping):
        return _mapping_test([(key, compile_pattern(wanted)) for key, wanted in pattern.items()])
    if isinstance(pattern, (list, tuple)):
        wanted = [compile_pattern(entry) for entry in pattern]
        return lambda value: (
            isinstance(value, (list, tuple)) and all(any(fits(entry) for entry in value) for fits in wanted)
        )
    if isinstance(pattern, bool):
        return lambda value: value is pattern
    return lambda value: not isinstance(value, bool) and bool(value == pattern)


def _text_test(pattern: str) -> Matcher:
    glob = parse_glob(pattern)
    if not glob.negated and len(glob.parts) == 1:
        return lambda value: isinstance(value, str) and value in (pattern, glob.parts[0])
    if not glob.negated and len(glob.parts) == 2 and not glob.parts[1]:  # noqa: PLR2004  `http*`, as most are
        return lambda value: isinstance(value, str) and value.startswith(glob.parts[0])
    return lambda value: isinstance(value, str) and (value == pattern or glob.fits(value))


def _mapping_test(wanted: list[tuple[Any, Matcher]]) -> Matcher:
    def test(value: Any) -> bool:
        if type(value) is not dict and not isinstance(value, Mapping):
            return False
        for key, fits in wanted:  # noqa: SIM110  asked of every finding: a loop is faster
            if key not in value or not fits(value[key]):
                return False
        return True

    return test


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
def parse_glob(pattern: str) -> Glob:
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
