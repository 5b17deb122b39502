"""--script-args ↔ a tree, in nmap's grammar.

    list   =  [ field { "," field } ]
    field  =  string "=" value  |  value                 without a key: a flag
    value  =  "{" list "}"  |  string
    string =  quoted by " or ', a backslash before the quote or itself  |  anything without , { } =

nmap ignores everything after a surplus closing brace. Here that is an error, and so is a quote that
is not closed. Source: the grammar in nse_main.lua of nmap 7.93; lpeg-utility.lua for quotes.
"""

from __future__ import annotations

import re

import msgspec

from cascan.limits import MAX_SCRIPT_ARGUMENTS
from cascan.patterns import compile_pattern

MAX_DEPTH = 16
PLAIN = r"[^\s,{}='\"\\](?:[^,{}='\"\\]*[^\s,{}='\"\\])?"  # text without quotes
UNQUOTED = r"[^,{}=]*"
QUOTED = {
    '"': r'"((?:[^"\\]|\\["\\]|\\(?=[^"\\]))*)"',
    "'": r"'((?:[^'\\]|\\['\\]|\\(?=[^'\\]))*)'",
}


class ArgumentTable(msgspec.Struct, frozen=True):
    """Arguments with a value, and flags. If a name is repeated, its last value counts."""

    values: dict[str, ArgumentTable | str] = {}
    flags: tuple[ArgumentTable | str, ...] = ()


def parse_script_args(text: str) -> ArgumentTable:
    """The tree of a text.

    Raises: ValueError: nmap would not accept the text, or would ignore a part of it.
    """
    if any(not " " <= char <= "~" for char in text):
        raise ValueError("a character that is not printable ASCII")
    reader = _Reader(text)
    table = reader.table(0)
    if reader.position < len(text):
        if text[reader.position] == "}":
            raise ValueError("one closing brace too many; nmap would ignore everything after it")
        raise ValueError(f"a comma is missing before {reader.preview()!r}")
    return table


def write_script_args(table: ArgumentTable) -> str:
    """The text of a tree, in its one spelling. Parsing it gives the tree again."""
    fields = [f"{_string(key)}={_value(value)}" for key, value in table.values.items()]
    return ",".join([*fields, *(_value(flag) for flag in table.flags)])


def _value(value: ArgumentTable | str) -> str:
    return f"{{{write_script_args(value)}}}" if isinstance(value, ArgumentTable) else _string(value)


def _string(text: str) -> str:
    if compile_pattern(PLAIN).fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.fields = 0

    def preview(self) -> str:
        """The next characters, for an error."""
        return self.text[self.position :][:20]

    def table(self, depth: int) -> ArgumentTable:
        if depth > MAX_DEPTH:
            raise ValueError(f"more than {MAX_DEPTH} tables inside one another")
        values: dict[str, ArgumentTable | str] = {}
        flags: list[ArgumentTable | str] = []
        while True:
            self.fields += 1
            if self.fields > MAX_SCRIPT_ARGUMENTS:
                excess = f"more than {MAX_SCRIPT_ARGUMENTS} arguments"
                raise ValueError(f"{excess}; ask for fewer in one scan")
            self._skip()
            key_or_flag = self._value(depth)
            self._skip()
            if isinstance(key_or_flag, str) and self._take("="):
                self._skip()
                values[key_or_flag] = self._value(depth)
                self._skip()
            elif key_or_flag != "":
                flags.append(key_or_flag)
            if not self._take(","):
                return ArgumentTable(values, tuple(flags))

    def _value(self, depth: int) -> ArgumentTable | str:
        if not self._take("{"):
            return self._string()
        table = self.table(depth + 1)
        if not self._take("}"):
            if self.position < len(self.text):
                raise ValueError(f"a comma or a closing brace is missing before {self.preview()!r}")
            raise ValueError("an opening brace is not closed")
        return table

    def _string(self) -> str:
        quote = self.text[self.position : self.position + 1]
        if quote in ('"', "'"):
            match = compile_pattern(QUOTED[quote]).match(self.text, self.position)
            if match is None:
                raise ValueError("a quote is not closed")
            self.position = match.end()
            return re.sub(rf"\\([\\{quote}])", r"\1", match[1])
        match = compile_pattern(UNQUOTED).match(self.text, self.position)
        self.position = match.end() if match else self.position
        return match[0].strip() if match else ""

    def _skip(self) -> None:
        while self.text.startswith(" ", self.position):
            self.position += 1

    def _take(self, mark: str) -> bool:
        if not self.text.startswith(mark, self.position):
            return False
        self.position += 1
        return True
