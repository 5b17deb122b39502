"""Words → options and targets, read exactly as nmap reads them.

That is glibc's getopt_long_only with nmap's tables:

- Options and targets may be mixed. `--` ends the options.
- A long name follows one dash or two. It may be abbreviated as long as no other name begins alike.
- A word with one dash that is not a long name is a cluster of letters.
- A required value that is not attached is the next word, even if that begins with a dash.
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
    """One occurrence of an option."""

    option: Option
    value: str | None
    written: str  # the word that holds the option
    position: int  # of that word, from 1

    @property
    def label(self) -> str:
        """The word as written, for a sentence, with the option's name if the word does not show it."""
        word = shorten(self.written)
        plain = self.written.lstrip("-").startswith(self.option.name.lstrip("-"))
        return word if plain else f"{word} ({self.option.name})"


class WordError(msgspec.Struct, frozen=True):
    """A word that nmap would refuse, or would read as something else than it says."""

    word: str
    position: int  # from 1
    why: str  # nmap's own message where it has one
    rule: Rule = Rule.GRAMMAR

    @property
    def sentence(self) -> str:
        return f"parameter {self.position}: {self.why}"


class ParsedWords(msgspec.Struct):
    """A list of words, taken apart."""

    options: list[GivenOption] = []
    targets: list[str] = []  # the words that are neither options nor their values
    errors: list[WordError] = []


def shorten(word: str) -> str:
    """The word as a sentence quotes it: at most SHOWN_CHARS characters."""
    return word if len(word) <= SHOWN_CHARS else word[:SHOWN_CHARS] + "..."


def read_words(words: Sequence[str]) -> ParsedWords:
    """The options, targets and errors of all words.

    Reading goes on after an error, while nmap stops at the first.

    One word may hold many options. So reading also ends after MAX_OPTIONS options, with an error,
    and after MAX_REASONS errors.
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
        """A long name if there is one that fits, else a cluster of letters."""
        dashes = "--" if word.startswith("--") else "-"
        may_be_cluster = dashes == "-" and _is_letter(word[1])
        if may_be_cluster and len(word) == len("-x"):
            self._cluster(word, position)
            return
        name, equals, value = word[len(dashes) :].partition("=")
        rows = option_table().begin(name)
        if len(rows) > 1:
            names = " ".join(f"'{dashes}{row.name[2:]}'" for row in rows)
            self._error(position, f"option '{shorten(word)}' is ambiguous; possibilities: {names}")
        elif rows:
            self._long(rows[0], value if equals else None, word, dashes, position)
        elif may_be_cluster:
            self._cluster(word, position)
        else:
            self._error(position, f"unrecognized option '{shorten(word)}'")

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
            attached = word[index:]
            if letter in CLUSTERS:
                self._letters(letter, attached, word, position)
                return
            row = find_option(f"-{letter}")
            if row is None:
                self._error(position, f"invalid option -- '{letter}'")
            elif row.takes is Takes.NONE:
                self._found(row, None, word, position)
            else:  # the remaining letters are its value
                self._letter_with_value(row, attached, word, position)
                return

    def _letter_with_value(self, row: Option, attached: str, word: str, position: int) -> None:
        value = attached or (self._take() if row.takes is Takes.REQUIRED else None)
        if value is None and row.takes is Takes.REQUIRED:
            self._error(position, f"option requires an argument -- '{row.name[1:]}'")
        else:
            self._found(row, value, word, position)

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
        """The next word, as a value. None: there is none."""
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


def _is_letter(letter: str) -> bool:
    """Whether a cluster may begin with the letter.

    A colon may: nmap's string of letters for getopt holds one.
    """
    return letter in CLUSTERS + ":" or find_option(f"-{letter}") is not None
