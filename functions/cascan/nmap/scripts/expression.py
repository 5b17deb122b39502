"""One rule of --script → which scripts it matches, read as nmap reads it.

    expression  =  operand [ "and" expression ] [ "or" expression ]
    operand     =  "not" operand  |  "(" expression ")"  |  word

`and` takes everything to its right: `a and b or c` is `a and (b or c)`. A word is true, false, all, a category in any
case, or the name of a script, where `*` stands for any text. `not` that has nothing behind it is a word itself.
Source: the grammar in nse_main.lua of nmap 7.93, run against `nmap --script-help`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from cascan.nmap.scripts.table import CATEGORIES, Script

MAX_DEPTH = 60  # operators and parentheses inside one another
CONSTANTS = {"true": True, "all": True, "false": False}
WORD = re.compile(r"[!-'*-~]+")  # printable, without space and parentheses
ENDS = re.compile(r"[\s()]|$")  # what may stand behind a keyword
Matches = Callable[[Script], bool]


class ScriptRule(msgspec.Struct, frozen=True):
    words: tuple[str, ...]
    matches: Matches


def parse_rule(text: str) -> ScriptRule:
    """Raises: ValueError: nmap would not read it either, or it is nested too deeply."""
    reader = _Reader(text)
    read = reader.expression(reader.skip(0), 0)
    if read is None or reader.skip(read[1]) != len(text):
        place = f" after {text[: read[1]]!r}" if read else ""
        raise ValueError(f"{text!r} cannot be read{place}: names, categories, and, or, not and parentheses, as in "
                         "'default and not http-*'; a comma ends a rule, even inside parentheses")  # fmt: skip
    return ScriptRule(tuple(dict.fromkeys(reader.words_of(read[1]))), read[0])


def is_category(word: str) -> bool:
    return word.lower() in CATEGORIES or word.lower() in CONSTANTS


def matches_name(pattern: str, name: str) -> bool:
    """Whether a name, or a pattern with `*`, stands for the script `name`."""
    first, *rest = pattern.removesuffix(".nse").split("*")
    if not rest:
        return name == first
    *middle, last = rest
    if not (name.startswith(first) and name.endswith(last)) or len(name) < len(first) + len(last):
        return False
    start, stop = len(first), len(name) - len(last)
    for piece in middle:  # the first place is as good as any: what follows has the most room
        start = name.find(piece, start, stop)
        if start < 0:
            return False
        start += len(piece)
    return True


def _matcher(word: str) -> Matches:
    lower = word.lower()
    if lower in CONSTANTS:
        return lambda _: CONSTANTS[lower]
    return lambda script: lower in script.categories or matches_name(word, script.name)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.words: list[tuple[int, str]] = []  # with the place each ends at

    def words_of(self, end: int) -> Iterator[str]:
        return (word for stop, word in self.words if stop <= end)

    def skip(self, at: int) -> int:
        while at < len(self.text) and self.text[at].isspace():
            at += 1
        return at

    def expression(self, at: int, depth: int) -> tuple[Matches, int] | None:
        """What begins at `at`, and where it ends."""
        if depth > MAX_DEPTH:
            raise ValueError(f"{self.text[:40]!r}...: more than {MAX_DEPTH} operators inside one another")
        left = self.operand(at, depth)
        if left and (right := self._after("and", left[1], depth)):
            left = _both(left[0], right[0]), right[1]
        if left and (right := self._after("or", left[1], depth)):
            left = _either(left[0], right[0]), right[1]
        return left

    def operand(self, at: int, depth: int) -> tuple[Matches, int] | None:
        if depth > MAX_DEPTH:
            raise ValueError(f"{self.text[:40]!r}...: more than {MAX_DEPTH} operators inside one another")
        if self._is_keyword("not", at) and (read := self.operand(self.skip(at + 3), depth + 1)):
            return _negated(read[0]), read[1]
        if self.text.startswith("(", at):
            inner = self.expression(self.skip(at + 1), depth + 1)
            end = self.skip(inner[1]) if inner else at
            return (inner[0], end + 1) if inner and self.text.startswith(")", end) else None
        if word := WORD.match(self.text, at):
            self.words.append((word.end(), word[0]))
            return _matcher(word[0]), word.end()
        return None

    def _after(self, keyword: str, at: int, depth: int) -> tuple[Matches, int] | None:
        at = self.skip(at)
        if not self._is_keyword(keyword, at):
            return None
        return self.expression(self.skip(at + len(keyword)), depth + 1)

    def _is_keyword(self, keyword: str, at: int) -> bool:
        end = at + len(keyword)
        return self.text[at:end].lower() == keyword and ENDS.match(self.text, end) is not None


def _both(one: Matches, other: Matches) -> Matches:
    return lambda script: one(script) and other(script)


def _either(one: Matches, other: Matches) -> Matches:
    return lambda script: one(script) or other(script)


def _negated(one: Matches) -> Matches:
    return lambda script: not one(script)
