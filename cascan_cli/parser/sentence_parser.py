"""An argument parser whose errors are one sentence, with what was probably meant."""

from __future__ import annotations

import argparse
import os
from argparse import ArgumentParser, HelpFormatter, _SubParsersAction
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NoReturn

from cascan_cli.errors import EXIT_REFUSED
from cascan_cli.output.text import find_terminal_width

# argparse would look for translations of its texts on disk, three times for each parser. There are none.
setattr(argparse, "_", str)  # noqa: B010 - its types do not have the name


class SentenceParser(ArgumentParser):
    """Subcommands use this class too. Options cannot be abbreviated."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **(options | {"allow_abbrev": False}))

    def _get_formatter(self) -> HelpFormatter:
        """As in argparse, which asks for the size of the terminal at each argument that is added."""
        build: Callable[..., HelpFormatter] = self.formatter_class
        return build(prog=self.prog, width=_find_width(os.environ.get("COLUMNS", "")))

    def refuse(self, arguments: Sequence[str], command: str, hint: str, *, action: str = "") -> NoReturn:
        """End the process because the command has no such arguments. `action`: of a command that has actions.

        `hint` is used if no option resembles them.
        """
        parser = self._parser_of(command)._parser_of(action)  # noqa: SLF001 - a parser of this class
        similar = parser._similar_option(arguments)  # noqa: SLF001 - a parser of this class
        hint = f"did you mean {similar}?" if similar else hint
        parser.error(f"unrecognized arguments: {' '.join(arguments)}" + (f"; {hint}" if hint else ""))

    def _parser_of(self, command: str) -> SentenceParser:
        for action in self._actions:
            if isinstance(action, _SubParsersAction) and command in action.choices:
                parser: SentenceParser = action.choices[command]
                return parser
        return self

    def _similar_option(self, arguments: Sequence[str]) -> str:
        """The option that one of the arguments probably meant; empty if none is similar."""
        from difflib import get_close_matches  # imported here: only mistyped options need it

        options = [option for option in self._option_string_actions if option.startswith("--")]
        for argument in arguments:
            name = argument.partition("=")[0]
            if not name.startswith("--"):
                continue
            completions = [option for option in options if option.startswith(name)]
            similar = completions or get_close_matches(name, options, n=1, cutoff=0.75)
            if similar:
                return similar[0]
        return ""

    def error(self, message: str) -> NoReturn:
        """End the process with exit code 2."""
        sentence = _shorten_choices(message)
        end = "" if sentence.endswith("?") else "."
        self.exit(EXIT_REFUSED, f"cascan: {sentence}{end} See: {self.prog} --help\n")


class OneCommand:
    """In place of the commands of a parser: builds the arguments of one command, and drops all others.

    A run of `cascan` needs those of one command, and building all takes 30 ms.
    """

    def __init__(self, commands: _SubParsersAction[Any], name: str) -> None:
        self._commands = commands
        self._name = name

    def add_parser(self, name: str, **options: Any) -> Any:
        if name != self._name:
            return _Dropped()
        return self._commands.add_parser(name, **options)


class _Dropped:
    """A parser of which nothing is needed: each method returns such a parser."""

    def __getattr__(self, name: str) -> Callable[..., _Dropped]:
        return lambda *_, **__: self


@cache
def _find_width(_columns: str) -> int:
    """The width of help texts. It depends on the variable COLUMNS and on the terminal."""
    return find_terminal_width() - 2


def _shorten_choices(message: str) -> str:
    """argparse lists every possible choice.

    With two dozen commands, the most similar ones help more.
    """
    import re  # imported here: only mistyped commands need it
    from difflib import get_close_matches

    match = re.fullmatch(r"argument (COMMAND|ACTION): invalid choice: '(.*)' \(choose from (.*)\)", message)
    if match is None:
        return message
    kind, argument, choices = match.groups()
    similar = get_close_matches(argument, re.findall(r"'([^']+)'", choices))
    hint = f"; did you mean {' or '.join(similar)}?" if similar else ""
    return f"there is no {kind.lower()} {argument!r}{hint}"
