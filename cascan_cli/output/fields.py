"""Pages of text: titles, and fields with aligned values."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from cascan_cli.output.text import printable, printable_lines

GAP = 2  # between a label and its value
MIN_VALUE_WIDTH = 30  # in a narrower terminal, lines are left to it


def print_title(text: str) -> None:
    """A line with an empty one above; bold in a terminal."""
    shown = printable(text)
    print(f"\n\x1b[1m{shown}\x1b[0m" if sys.stdout.isatty() else f"\n{shown}")


def print_fields(fields: Sequence[tuple[str, object]]) -> None:
    """Print a line for each field that has a value; in a terminal, folded between words below one another."""
    shown = [(label, printable(value)) for label, value in fields if value not in ("", None)]
    margin = max((len(label) for label, _ in shown), default=0) + GAP
    for label, value in shown:
        first, *others = _fold(value, margin)
        print(f"{label:<{margin}}{first}")
        for line in others:
            print(" " * margin + line)


def print_lines(lines: Iterable[str]) -> None:
    """Sentences, indented."""
    for line in lines:
        for folded in _fold(printable(line), GAP):
            print(" " * GAP + folded)


def print_block(text: str) -> None:
    """A text of several lines, such as the output of a script, indented."""
    for line in text.splitlines():
        print(" " * GAP + printable_lines(line))


def _fold(text: str, margin: int) -> list[str]:
    if not sys.stdout.isatty():
        return [text]
    from shutil import get_terminal_size
    from textwrap import wrap

    width = get_terminal_size().columns - margin
    if width < MIN_VALUE_WIDTH:
        return [text]
    return wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]
