"""Whether a pattern matches a finding, for cascading rules and for severity rules.

A pattern names what has to match. It is compared with the JSON of a finding:

    mapping     every key of the pattern exists, and its value matches; other keys are ignored
    list        every entry of the pattern matches some entry of the finding's list, in any order
    text        equal, or a glob: `*` matches any text, also none; a leading `!` negates; a backslash
                escapes the next character. The whole text is compared, case-sensitively
    other       equal and of one type: 443 is not "443", true is not 1, null is not a missing key

Globs match texts only: `"!443"` matches neither the number 80 nor a missing key.
Source: secureCodeBox's cascading hook, which uses lodash's isMatchWith and the library matcher.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from cascan.limits import MAX_PATTERN_CHARS, MAX_PATTERN_ENTRIES

MAX_GLOBS_CACHED = 4_096

Matcher = Callable[[Any], bool]


def matches(pattern: Any, value: Any) -> bool:
    """Whether the value matches.

    It takes at most time proportional to the pattern's length times the value's.
    """
    return compile_pattern(pattern)(value)


def check_pattern(pattern: Any, path: str) -> Iterator[str]:
    """Problems of a pattern that is too slow: too many entries, or a text too long."""
    count, pending = 0, [pattern]
    while pending and count <= MAX_PATTERN_ENTRIES:
        entry = pending.pop()
        if isinstance(entry, str) and len(entry) > MAX_PATTERN_CHARS:
            yield f"{path}: a text of {len(entry)} characters is longer than {MAX_PATTERN_CHARS}"
        elif isinstance(entry, Mapping):
            pending += entry.values()
            count += len(entry)
        elif isinstance(entry, list | tuple):
            pending += entry
            count += len(entry)
    if count > MAX_PATTERN_ENTRIES:
        yield f"{path}: it has more than {MAX_PATTERN_ENTRIES} entries; write several of anyOf"


def compile_pattern(pattern: Any) -> Matcher:
    """The pattern as a function, to be compiled once and called for many values."""
    if isinstance(pattern, str):
        return _compile_text(pattern)
    if isinstance(pattern, Mapping):
        return _compile_mapping(pattern)
    if isinstance(pattern, list | tuple):
        return _compile_list(pattern)
    if isinstance(pattern, bool):
        return lambda value: value is pattern
    return lambda value: not isinstance(value, bool) and bool(value == pattern)


def _compile_text(pattern: str) -> Matcher:
    glob = parse_glob(pattern)
    literals = glob.literals
    if not glob.is_negated and len(literals) == 1:
        return lambda value: isinstance(value, str) and value in (pattern, literals[0])
    is_prefix = len(literals) == 2 and not literals[1]  # noqa: PLR2004  `http*`
    if not glob.is_negated and is_prefix:
        return lambda value: isinstance(value, str) and value.startswith(literals[0])
    return lambda value: isinstance(value, str) and (value == pattern or glob.matches(value))


def _compile_mapping(pattern: Mapping[str, Any]) -> Matcher:
    matchers = [(key, compile_pattern(entry)) for key, entry in pattern.items()]

    def matcher(value: Any) -> bool:
        if type(value) is not dict and not isinstance(value, Mapping):
            return False
        for key, entry_matches in matchers:  # noqa: SIM110  a loop is faster than all()
            if key not in value or not entry_matches(value[key]):
                return False
        return True

    return matcher


def _compile_list(pattern: list[Any] | tuple[Any, ...]) -> Matcher:
    matchers = [compile_pattern(entry) for entry in pattern]

    def matcher(value: Any) -> bool:
        if not isinstance(value, list | tuple):
            return False
        return all(any(entry_matches(entry) for entry in value) for entry_matches in matchers)

    return matcher


class Glob(NamedTuple):
    """A text pattern. `literals` are the texts before, between and after its `*`."""

    is_negated: bool
    literals: tuple[str, ...]

    def matches(self, text: str) -> bool:
        return self._matches_literals(text) is not self.is_negated

    def _matches_literals(self, text: str) -> bool:
        """Take each literal where it first occurs: with `*` alone, backtracking is never needed."""
        prefix, *inner = self.literals
        if not inner:
            return text == prefix
        suffix = inner.pop()
        position, end = len(prefix), len(text) - len(suffix)
        if position > end or not text.startswith(prefix) or not text.endswith(suffix):
            return False
        for literal in inner:
            position = text.find(literal, position, end)
            if position < 0:
                return False
            position += len(literal)
        return True


@lru_cache(MAX_GLOBS_CACHED)
def parse_glob(pattern: str) -> Glob:
    is_negated = pattern.startswith("!")
    literals: list[str] = []
    literal, is_escaped = "", False
    for character in pattern[is_negated:]:
        if is_escaped or character not in "*\\":
            literal += character
            is_escaped = False
        elif character == "\\":
            is_escaped = True
        else:
            literals.append(literal)
            literal = ""
    if is_escaped:  # a backslash at the end stands for itself
        literal += "\\"
    return Glob(is_negated, (*literals, literal))
