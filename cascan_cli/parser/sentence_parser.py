"""An argument parser that says what is wrong in a sentence, with what was probably meant and where to read on."""

from __future__ import annotations

from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Sequence
from typing import Any, NoReturn

from cascan_cli.errors import EXIT_REFUSED


class SentenceParser(ArgumentParser):
    """Its subcommands are parsed by it, too. An option counts only as it is written in --help, never abbreviated."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **(options | {"allow_abbrev": False}))

    def refuse(self, words: Sequence[str], command: str, hint: str) -> NoReturn:
        """Ends the process: the command knows none of the words. `hint` is what helps where no option is like them."""
        parser = self._parser_of(command)
        meant = parser._option_like(words)  # noqa: SLF001 - a parser of this class
        hint = f"did you mean {meant}?" if meant else hint
        parser.error(f"unrecognized arguments: {' '.join(words)}" + (f"; {hint}" if hint else ""))

    def _parser_of(self, command: str) -> SentenceParser:
        for action in self._actions:
            if isinstance(action, _SubParsersAction) and command in action.choices:
                found: SentenceParser = action.choices[command]
                return found
        return self

    def _option_like(self, words: Sequence[str]) -> str:
        """The option that was probably meant by one of the words; empty: none is close."""
        from difflib import get_close_matches  # only who mistypes needs it

        options = [option for option in self._option_string_actions if option.startswith("--")]
        for word in words:
            name = word.partition("=")[0]
            if not name.startswith("--"):
                continue
            begun = [option for option in options if option.startswith(name)]
            if near := begun or get_close_matches(name, options, n=1, cutoff=0.75):
                return near[0]
        return ""

    def error(self, message: str) -> NoReturn:
        """Ends the process with exit code 2."""
        said = _in_words(message)
        self.exit(EXIT_REFUSED, f"cascan: {said}{'' if said.endswith('?') else '.'} See: {self.prog} --help\n")


def _in_words(message: str) -> str:
    """argparse lists every choice: of two dozen commands the nearest say more."""
    import re  # only who mistypes needs it
    from difflib import get_close_matches

    found = re.fullmatch(r"argument (COMMAND|ACTION): invalid choice: '(.*)' \(choose from (.*)\)", message)
    if found is None:
        return message
    near = get_close_matches(found[2], re.findall(r"'([^']+)'", found[3]))
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"there is no {found[1].lower()} {found[2]!r}{meant}"
