"""Tables: in a terminal as wide as it is, else lines of columns joined by tabs, for cut and awk.

Where a table is wider than the terminal, cells are folded between words, and a word that is still too long ends in an
ellipsis; never is a word cut in two. What does not fit even so is left out, column by column, and said.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cascan_cli.output.text import STYLES, print_message, printable

GAP = 2  # between two columns
LONGEST_WORD = 28  # that widens a column
READABLE_WORD = 14  # so much of a word is still worth more than a column that is left out
SHORTEST_COLUMN = 6  # that words are cut to, before the terminal folds lines by itself
MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\dZ)")


@dataclass(slots=True)
class Column:
    """What a column needs: `natural` for its longest cell, `tight` for its longest word; and what it is given."""

    title: str
    cells: list[str]
    is_whole: bool
    natural: int = 0
    tight: int = 0
    width: int = 0

    def __post_init__(self) -> None:
        self.natural = _longest([self.title, *self.cells])

    def fold(self) -> None:
        """Make ready for less room than `natural`."""
        if self.is_whole:
            self.tight = self.natural
        else:
            self.cells = [MOMENT.sub(r"\1 \2", cell) for cell in self.cells]
            words = (word for text in (self.title, *self.cells) for word in text.split())
            self.tight = min(_longest(words), LONGEST_WORD)


def _longest(texts: Iterable[str]) -> int:
    from rich.cells import cell_len  # 30 ms that only a terminal needs

    return max(map(cell_len, texts), default=0)


def print_table(
    titles: Sequence[str], rows: Iterable[Sequence[object]], *, drop: Sequence[str] = (), whole: Sequence[str] = ()
) -> None:
    """One line a row. `drop` names columns that a narrow terminal goes without, the first first; `whole`, those of
    which every cell is copied elsewhere, and stays as it is."""
    texts = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in texts:
            print("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    columns = [Column(title, [row[i] for row in texts], title in whole) for i, title in enumerate(titles)]
    shown = fit_columns(columns, console.width, drop)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in shown:
        table.add_column(column.title, width=column.width, overflow="fold" if column.is_whole else "ellipsis")
    for cells in zip(*(column.cells for column in shown), strict=True):
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in cells))
    console.print(table)
    if left := [column.title for column in columns if column not in shown and any(column.cells)]:
        print_message(f"left out for want of room: {', '.join(left)}; --json has all")


def fit_columns(columns: list[Column], width: int, drop: Sequence[str] = ()) -> list[Column]:
    """The columns that are shown, with their widths."""
    if _total(columns, "natural") <= width:
        for column in columns:
            column.width = column.natural
        return columns
    for column in columns:
        column.fold()
    shown = [column for column in columns if any(column.cells)] or columns
    for title in drop:
        if _squeezed(shown, width, READABLE_WORD) > width:
            shown = [column for column in shown if column.title != title]
    beyond = _squeezed(shown, width, SHORTEST_COLUMN) - width
    if beyond > 0:  # what is to stay whole is longer than a line
        longest = max(shown, key=lambda column: column.width)
        longest.width = max(SHORTEST_COLUMN, longest.width - beyond)
    _share(shown, width - _total(shown, "width"))
    return shown


def _squeezed(columns: list[Column], width: int, shortest: int) -> int:
    """The width of the columns, their longest words cut as far as need be, and to no less than `shortest`."""
    for column in columns:
        column.width = column.tight
    while (total := _total(columns, "width")) > width:
        widest = max((column for column in columns if not column.is_whole), key=lambda c: c.width, default=None)
        if widest is None or widest.width <= shortest:
            break
        widest.width -= 1
    return total


def _share(columns: list[Column], room: int) -> None:
    """What is left of the width goes first to the columns that want the least, so that long texts alone are folded."""
    for column in sorted(columns, key=lambda column: column.natural - column.width):
        more = max(0, min(room, column.natural - column.width))
        column.width += more
        room -= more


def _total(columns: list[Column], what: str) -> int:
    widths: list[int] = [getattr(column, what) for column in columns]
    return sum(widths) + GAP * (len(columns) - 1)
