"""An argument parser whose errors are one sentence, with what was probably meant."""

from __future__ import annotations

from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Sequence
from typing import Any, NoReturn

from cascan_cli.errors import EXIT_REFUSED


class SentenceParser(ArgumentParser):
    """Subcommands use this class too. Options cannot be abbreviated."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **(options | {"allow_abbrev": False}))

    def refuse(self, arguments: Sequence[str], command: str, hint: str) -> NoReturn:
        """End the process because the command has no such arguments.

        `hint` is used if no option resembles them.
        """
        parser = self._parser_of(command)
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
