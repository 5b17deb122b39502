"""What may be typed after `cascan`, and what --help says of it: a module a family of commands, joined in build.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    Commands = _SubParsersAction[Any]

SCAN_HELP = "a scan's id, the beginning of one, a series name, or `latest`"


def sentence(text: str) -> str:
    """The line of a list of commands, as the description of the one."""
    return f"{text[0].upper()}{text[1:]}."
