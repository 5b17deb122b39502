"""Words → options and targets, read exactly as nmap reads them: glibc's getopt_long_only with nmap's tables.

Options stand anywhere; `--` ends them; one dash or two begin a long name or any abbreviation that no other name shares;
what is no long name after one dash is a cluster of letters; a required value takes the next word, whatever it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cascan.limits import MAX_OPTIONS, MAX_REASONS
from cascan.model.refusal import Rule
from cascan.nmap.options.table import Option, Takes, find_option, option_table

SHOWN_CHARS = 60  # of a refused word
CLUSTERS = "sP"  # letters whose value is letters again


class GivenOption(msgspec.Struct, frozen=True):
    """One option as it stood among the words."""

    option: Option
    value: str | None
    written: str  # the word it stood in
    position: int  # of that word, from 1

    @property
    def label(self) -> str:
        """The option for a sentence: as written, and by its name where that is not plain to see."""
        word = shorten(self.written)
        plain = self.written.lstrip("-").startswith(self.option.name.lstrip("-"))
        return word if plain else f"{word} ({self.option.name})"


class WordError(msgspec.Struct, frozen=True):
    """A word that nmap would not take, or read as nobody means it, and why; in nmap's words where it has some."""

    word: str
    position: int  # from 1
    why: str
    rule: Rule = Rule.GRAMMAR

    @property
    def sentence(self) -> str:
        return f"parameter {self.position}: {self.why}"


class ParsedWords(msgspec.Struct):
    """What was read: options in order, the other words, and what nmap would not take."""

    options: list[GivenOption] = []
    targets: list[str] = []
    errors: list[WordError] = []


def shorten(word: str) -> str:
    """A word for a sentence."""
    return word if len(word) <= SHOWN_CHARS else word[:SHOWN_CHARS] + "..."


def read_words(words: Sequence[str]) -> ParsedWords:
    """Every word is read, also after an error; nmap itself stops at the first.

    Reading ends at MAX_OPTIONS options, with an error, and after MAX_REASONS errors: one word of letters holds many.
    """
    return _Reader(words).read()


class _Reader:
    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self.next = 0  # index of the word to read
        self.found = ParsedWords([], [], [])

    def read(self) -> ParsedWords:
        while self.next < len(self.words):
            if self._is_full():
                break
            word = self.words[self.next]
            self.next += 1
            if not word.startswith("-") or word == "-":
                self.found.targets.append(word)
            elif word == "--":
                self.found.targets += self.words[self.next :]
                break
            else:
                self._option(word, self.next)
        return self.found

    def _option(self, word: str, position: int) -> None:
        dashes = "--" if word.startswith("--") else "-"
        letter_known = find_option(word[:2]) is not None or word[1] in CLUSTERS + ":"  # ":" stands in getopt's string
        if dashes == "--" or len(word) > len("-x") or not letter_known:
            name, equals, value = word[len(dashes) :].partition("=")
            rows = option_table().begin(name)
            if len(rows) > 1:
                names = " ".join(f"'{dashes}{row.name[2:]}'" for row in rows)
                self._error(position, f"option '{shorten(word)}' is ambiguous; possibilities: {names}")
                return
            if rows:
                self._long(rows[0], value if equals else None, word, dashes, position)
                return
            if dashes == "--" or not letter_known:
                self._error(position, f"unrecognized option '{shorten(word)}'")
                return
        self._cluster(word, position)

    def _long(self, row: Option, value: str | None, word: str, dashes: str, position: int) -> None:
        full_name = f"{dashes}{row.name[2:]}"
        if value is not None and row.takes is Takes.NONE:
            self._error(position, f"option '{full_name}' doesn't allow an argument")
        elif value is None and row.takes is Takes.REQUIRED:
            if (value := self._take()) is None:
                self._error(position, f"option '{full_name}' requires an argument")
            else:
                self._found(row, value, word, position)
        else:
            self._found(row, value, word, position)

    def _cluster(self, word: str, position: int) -> None:
        for index, letter in enumerate(word[1:], start=2):
            if self._is_full():
                return
            rest: str | None = word[index:] or None
            if letter in CLUSTERS:
                self._letters(letter, rest or "", word, position)
                return
            row = find_option(f"-{letter}")
            if row is None:
                self._error(position, f"invalid option -- '{letter}'")
            elif row.takes is Takes.NONE:
                self._found(row, None, word, position)
            elif row.takes is Takes.OPTIONAL:
                self._found(row, rest, word, position)
                return
            else:
                if (value := rest or self._take()) is None:
                    self._error(position, f"option requires an argument -- '{letter}'")
                else:
                    self._found(row, value, word, position)
                return

    def _letters(self, cluster: str, letters: str, word: str, position: int) -> None:
        """-sV, -sSUV: several scans; -PS22: one kind of ping and its ports."""
        if not letters:
            rule = Rule.GRAMMAR if cluster == "s" else Rule.VALUE  # nmap reads a bare -P as -Pn
            self._error(position, f"-{cluster} needs a letter right after it, as in -sV or -Pn", rule)
            return
        kinds = letters if cluster == "s" else letters[:1]
        value = None if cluster == "s" else letters[1:] or None
        for letter in kinds:
            if self._is_full():
                return
            row = find_option(f"-{cluster}{letter}")
            if row:
                self._found(row, value, word, position)
            elif cluster == "s":
                self._error(position, f"{shorten(word)}: Scantype {letter} not supported")
            else:
                self._error(
                    position,
                    f"{shorten(word)}: Illegal Argument to -P, use -Pn, -PE, -PS, -PA, -PP, -PM, -PU, -PY, or -PO",
                )

    def _take(self) -> str | None:
        if self.next == len(self.words):
            return None
        self.next += 1
        return self.words[self.next - 1]

    def _is_full(self) -> bool:
        return len(self.found.options) > MAX_OPTIONS or len(self.found.errors) > MAX_REASONS

    def _found(self, row: Option, value: str | None, word: str, position: int) -> None:
        self.found.options.append(GivenOption(row, value, word, position))
        if len(self.found.options) > MAX_OPTIONS:
            self._error(position, f"more than {MAX_OPTIONS} options; write each once", Rule.LIMIT)

    def _error(self, position: int, why: str, rule: Rule = Rule.GRAMMAR) -> None:
        self.found.errors.append(WordError(self.words[position - 1], position, why, rule))
