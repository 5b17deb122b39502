"""A list that is filled again and again, and keeps its cursor on the same row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.widgets import DataTable

from cascan.formats.text import shorten
from cascan_cli.output.text import STYLES, printable
from cascan_cli.top.rows import Row

MAX_CELL_CHARS = 60  # of a cell: a long text leaves room for the other columns


class LiveList(DataTable[Text]):
    """Cells are plain text: nothing in them is markup or moves the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [("tab", "app.focus_next", "next list")]

    def __init__(self, titles: Sequence[str], *, id: str) -> None:  # noqa: A002 - as in Textual
        super().__init__(id=id, cursor_type="row", zebra_stripes=True)
        self._titles = titles
        self._shown: list[Row] = []

    def on_mount(self) -> None:
        for title in self._titles:
            self.add_column(title, key=title)

    def fill(self, rows: Iterable[Row]) -> None:
        """Show these rows instead of the earlier ones."""
        listed = list(rows)
        if listed == self._shown:
            return
        if [row.key for row in listed] == [row.key for row in self._shown]:
            self._update(listed)
        else:
            self._replace(listed)
        self._shown = listed

    def _update(self, rows: list[Row]) -> None:
        for row, earlier in zip(rows, self._shown, strict=True):
            for title, cell, shown in zip(self._titles, row.cells, earlier.cells, strict=True):
                if cell != shown:
                    self.update_cell(row.key, title, to_text(cell), update_width=True)

    def _replace(self, rows: list[Row]) -> None:
        selected = self._shown[self.cursor_row].key if self._shown else ""
        self.clear()
        for row in rows:
            self.add_row(*map(to_text, row.cells), key=row.key)
        keys = [row.key for row in rows]
        if selected in keys:
            self.move_cursor(row=keys.index(selected), scroll=False)


class ScanList(LiveList):
    """The list of scans, each of which can be opened."""

    BINDINGS: ClassVar[list[BindingType]] = [("enter", "select_cursor", "show the scan")]


def to_text(cell: str) -> Text:
    """The cell as printable characters, with the colour of a severity or a state."""
    return Text(shorten(printable(cell), MAX_CELL_CHARS), style=STYLES.get(cell.partition(",")[0], ""))
