"""Tables: fitted to the width of a terminal, or columns joined by tabs, for cut and awk.

Where a table is wider than the terminal, cells are folded between words. A word that is still too
long ends in an ellipsis; words are not cut in two. If there is still not enough room,
columns are left out, with a message.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

import msgspec

from cascan.patterns import compile_pattern
from cascan_cli.output.text import STYLES, print_message, printable

TIME_WITH_MILLISECONDS = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
GAP = 2  # between two columns
MAX_WORD = 28  # no column is made wider than this for the sake of one word
READABLE_WORD = 14  # to show this much of a word is better than to leave out a column
MIN_WIDTH = 6  # words are not cut shorter; the terminal then wraps the lines
MAX_FITTED_ROWS = 10_000  # the widths of the columns fit the first rows; only so many are in memory
MAX_PRINTED_ROWS = 500  # that rich renders at once: each of its cells takes ten times the memory of a text
TIMESTAMP = r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d(?:\.\d+)?Z)"


class Column(msgspec.Struct):
    """A column; it needs the width `natural` for its longest cell, `tight` for its longest word.

    `width` is the width that it gets. The cells of a column that `is_whole` are not folded or cut.
    Other columns are left out before it is made narrower than `comfort`.
    """

    title: str
    cells: list[str]
    is_whole: bool
    comfort: int = 0
    natural: int = 0
    tight: int = 0
    width: int = 0

    def __post_init__(self) -> None:
        self.natural = _max_width([self.title, *self.cells])

    def prepare_folding(self) -> None:
        """Compute `tight`, and let a time be folded between its date and its hour."""
        if self.is_whole:
            self.tight = self.natural
            return
        self.cells = [compile_pattern(TIMESTAMP).sub(r"\1 \2", cell) for cell in self.cells]
        words = (word for text in (self.title, *self.cells) for word in text.split())
        self.tight = max(min(_max_width(words), MAX_WORD), self.comfortable)

    @property
    def comfortable(self) -> int:
        return min(self.natural, self.comfort)


def _max_width(texts: Iterable[str]) -> int:
    from rich.cells import cell_len  # takes 30 ms to import, and only a terminal needs it

    return max(map(cell_len, texts), default=0)


def print_table(
    titles: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    drop: Sequence[str] = (),
    whole: Sequence[str] = (),
    optional: Sequence[str] = (),
    comfort: Mapping[str, int] | None = None,
) -> None:
    """Print one line per row, as the rows come.

    `drop` names the columns that a narrow terminal leaves out, in this order. `whole` names the
    columns whose cells are copied elsewhere, and so must not be folded or cut. `optional` names the
    last columns that are only there for the rows that need them: a terminal shows them if one of the
    first rows does, and a line of text ends before them where they are empty. `comfort`: columns are left
    out before the columns that it names become narrower.
    """
    texts = ([printable(cell) for cell in row] for row in rows)
    if not sys.stdout.isatty():
        required = len(titles) - len(optional)
        for row in texts:
            cells = row if any(row[required:]) else row[:required]
            print("\t".join(cells))
        return
    texts = ([_leave_out_milliseconds(cell) for cell in row] for row in texts)
    columns = _build_columns(titles, islice(texts, MAX_FITTED_ROWS), whole)
    for column in columns:
        column.comfort = (comfort or {}).get(column.title, 0)
    needed = [column for column in columns if column.title not in optional or any(column.cells)]
    shown = _print_first(needed, drop)
    widths = {column.title: column.width for column in shown}
    while further := list(islice(texts, MAX_FITTED_ROWS)):
        columns = [column for column in _build_columns(titles, further, whole) if column.title in widths]
        for column in columns:
            column.width = widths[column.title]
        _print_columns(columns, with_titles=False)


def _leave_out_milliseconds(cell: str) -> str:
    """A time as `2026-01-31T23:59:59Z`. Another text stays as it is."""
    return f"{cell[:19]}Z" if compile_pattern(TIME_WITH_MILLISECONDS).fullmatch(cell) else cell


def _build_columns(titles: Sequence[str], rows: Iterable[Sequence[str]], whole: Sequence[str]) -> list[Column]:
    listed = list(rows)
    return [Column(title, [row[i] for row in listed], title in whole) for i, title in enumerate(titles)]


def _print_first(columns: list[Column], drop: Sequence[str]) -> list[Column]:
    """Print the columns for which there is room. Returns them, with their widths."""
    from rich.console import Console

    shown = fit_columns(columns, Console().width, drop)
    _print_columns(shown)
    hidden = [column.title for column in columns if column not in shown and any(column.cells)]
    if hidden:
        print_message(f"no room for {', '.join(hidden)}; --json has all columns")
    return shown


def _print_columns(shown: list[Column], *, with_titles: bool = True) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = zip(*(column.cells for column in shown), strict=True)
    console = Console()
    while (page := list(islice(rows, MAX_PRINTED_ROWS))) or with_titles:
        table = Table(box=None, header_style="bold", pad_edge=False, show_header=with_titles)
        for column in shown:
            table.add_column(column.title, width=column.width, overflow="fold" if column.is_whole else "ellipsis")
        for cells in page:
            table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in cells))
        console.print(table)
        with_titles = False


def fit_columns(columns: list[Column], width: int, drop: Sequence[str] = ()) -> list[Column]:
    """Choose the columns to show, and set their widths."""
    if _total_width(column.natural for column in columns) <= width:
        for column in columns:
            column.width = column.natural
        return columns
    for column in columns:
        column.prepare_folding()
    shown = _drop_columns(columns, width, drop)
    excess = _squeeze(shown, width, MIN_WIDTH) - width
    if excess > 0:  # whole columns alone are wider than the terminal
        widest = max(shown, key=lambda column: column.width)
        widest.width = max(MIN_WIDTH, widest.width - excess)
    _distribute(shown, width - _total_width(column.width for column in shown))
    return shown


def _drop_columns(columns: list[Column], width: int, drop: Sequence[str]) -> list[Column]:
    """Leave out empty columns, then those in `drop` until the others fit with readable words."""
    shown = [column for column in columns if any(column.cells)] or columns
    for title in drop:
        if _squeeze(shown, width, READABLE_WORD, comfortably=True) <= width:
            break
        shown = [column for column in shown if column.title != title]
    return shown


def _squeeze(columns: list[Column], width: int, shortest: int, *, comfortably: bool = False) -> int:
    """Narrow the widest columns until all fit or words are cut to `shortest`; `comfortably`: or to the
    comfort of their column.

    Returns the total width.
    """
    for column in columns:
        column.width = column.tight
    while (total := _total_width(column.width for column in columns)) > width:
        flexible = [column for column in columns if not column.is_whole and column.width > shortest]
        if comfortably:
            flexible = [column for column in flexible if column.width > column.comfortable]
        widest = max(flexible, key=lambda column: column.width, default=None)
        if widest is None:
            break
        widest.width -= 1
    return total


def _distribute(columns: list[Column], room: int) -> None:
    """Give the remaining width first to columns that need least: only long texts are folded."""
    for column in sorted(columns, key=lambda column: column.natural - column.width):
        gain = max(0, min(room, column.natural - column.width))
        column.width += gain
        room -= gain


def _total_width(widths: Iterable[int]) -> int:
    widths = list(widths)
    return sum(widths) + GAP * (len(widths) - 1)
