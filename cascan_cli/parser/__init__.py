"""The arguments of `cascan` and their --help texts, one module for each family of commands.

build_parser.py joins them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import ArgumentParser, _SubParsersAction
    from collections.abc import Sequence

    Commands = _SubParsersAction[Any]

SCAN_HELP = "a scan id, the beginning of one, a series name, or `latest`"


def sentence(text: str) -> str:
    """The short help of a command as a sentence, for its own --help page."""
    return f"{text[0].upper()}{text[1:]}."


def add_command(commands: Commands, name: str, parents: Sequence[ArgumentParser], text: str) -> ArgumentParser:
    """A command whose own --help page begins with its short help `text`."""
    command: ArgumentParser = commands.add_parser(name, parents=parents, help=text, description=sentence(text))
    return command
