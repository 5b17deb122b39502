"""One rule of --script → the scripts that it matches. It is read as nmap reads it.

    expression  =  operand [ "and" expression ] [ "or" expression ]
    operand     =  "not" operand  |  "(" expression ")"  |  word

`and` takes everything to its right: `a and b or c` is `a and (b or c)`. A word is true, false, all,
a category in any case, or the name of a script, where `*` stands for any text. A `not` without an
operand is a word itself. Source: the grammar in nse_main.lua of nmap 7.93, run against `nmap
--script-help`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from cascan.nmap.scripts.table import CATEGORIES, Script
from cascan.patterns import compile_pattern

MAX_DEPTH = 60  # of nested operators and parentheses
CONSTANTS = {"true": True, "all": True, "false": False}
WORD = r"[!-'*-~]+"  # printable, without space and parentheses
ENDS = r"[\s()]|$"  # what may follow a keyword
SYNTAX = (
    "names, categories, and, or, not and parentheses, as in 'default and not http-*'; "
    "a comma ends a rule, even inside parentheses"
)
Matches = Callable[[Script], bool]


class ScriptRule(msgspec.Struct, frozen=True):
    words: tuple[str, ...]
    matches: Matches


def parse_rule(text: str) -> ScriptRule:
    """The words of a rule and what it matches.

    Raises: ValueError: nmap would not accept the text either, or it is nested too deeply.
    """
    reader = _Reader(text)
    parsed = reader.expression(reader.skip(0), 0)
    if parsed is None:
        raise ValueError(f"{text!r} cannot be read: {SYNTAX}")
    matches, end = parsed
    if reader.skip(end) != len(text):
        raise ValueError(f"{text!r} cannot be read after {text[:end]!r}: {SYNTAX}")
    words = dict.fromkeys(reader.words_up_to(end))
    return ScriptRule(tuple(words), matches)


def is_category(word: str) -> bool:
    return word.lower() in CATEGORIES or word.lower() in CONSTANTS


def matches_name(pattern: str, name: str) -> bool:
    """Whether a name, or a pattern with `*`, matches the script `name`."""
    prefix, *others = pattern.removesuffix(".nse").split("*")
    if not others:
        return name == prefix
    *infixes, suffix = others
    if len(name) < len(prefix) + len(suffix):
        return False
    if not (name.startswith(prefix) and name.endswith(suffix)):
        return False
    start, stop = len(prefix), len(name) - len(suffix)
    for infix in infixes:  # the leftmost match leaves the most room for the others
        start = name.find(infix, start, stop)
        if start < 0:
            return False
        start += len(infix)
    return True


def _build_matcher(word: str) -> Matches:
    lower = word.lower()
    if lower in CONSTANTS:
        return lambda _: CONSTANTS[lower]
    return lambda script: lower in script.categories or matches_name(word, script.name)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.words: list[tuple[int, str]] = []  # with the position of each word's end

    def words_up_to(self, end: int) -> Iterator[str]:
        return (word for stop, word in self.words if stop <= end)

    def skip(self, position: int) -> int:
        """The position after any white space."""
        while position < len(self.text) and self.text[position].isspace():
            position += 1
        return position

    def expression(self, start: int, depth: int) -> tuple[Matches, int] | None:
        """The expression that begins at `start`, and the position of its end."""
        self._check_depth(depth)
        parsed = self.operand(start, depth)
        if parsed and (right := self._parse_after("and", parsed[1], depth)):
            parsed = _build_and(parsed[0], right[0]), right[1]
        if parsed and (right := self._parse_after("or", parsed[1], depth)):
            parsed = _build_or(parsed[0], right[0]), right[1]
        return parsed

    def operand(self, start: int, depth: int) -> tuple[Matches, int] | None:
        """The operand that begins at `start`, and the position of its end."""
        self._check_depth(depth)
        if self._is_keyword("not", start):
            negated = self.operand(self.skip(start + len("not")), depth + 1)
            if negated:
                return _build_not(negated[0]), negated[1]
        if self.text.startswith("(", start):
            inner = self.expression(self.skip(start + 1), depth + 1)
            end = self.skip(inner[1]) if inner else start
            return (inner[0], end + 1) if inner and self.text.startswith(")", end) else None
        if match := compile_pattern(WORD).match(self.text, start):
            self.words.append((match.end(), match[0]))
            return _build_matcher(match[0]), match.end()
        return None

    def _check_depth(self, depth: int) -> None:
        if depth > MAX_DEPTH:
            problem = f"more than {MAX_DEPTH} operators inside one another"
            raise ValueError(f"{self.text[:40]!r}...: {problem}")

    def _parse_after(self, keyword: str, end: int, depth: int) -> tuple[Matches, int] | None:
        """The expression after a keyword that follows `end`. None: the keyword does not follow."""
        start = self.skip(end)
        if not self._is_keyword(keyword, start):
            return None
        return self.expression(self.skip(start + len(keyword)), depth + 1)

    def _is_keyword(self, keyword: str, start: int) -> bool:
        end = start + len(keyword)
        return self.text[start:end].lower() == keyword and compile_pattern(ENDS).match(self.text, end) is not None


def _build_and(left: Matches, right: Matches) -> Matches:
    return lambda script: left(script) and right(script)


def _build_or(left: Matches, right: Matches) -> Matches:
    return lambda script: left(script) or right(script)


def _build_not(operand: Matches) -> Matches:
    return lambda script: not operand(script)
