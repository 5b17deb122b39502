"""An argument parser that says what is wrong in a sentence, with what was probably meant and where to read on."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import NoReturn

from cli.errors import EXIT_REFUSED


class Words(ArgumentParser):
    """Its subcommands are parsed by it, too."""

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
