"""What a person reads: tables with colour in a terminal, plain columns when piped; progress and remarks on stderr.

Text from scanned hosts is data: control characters are shown, never sent to the terminal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

STYLES = {
    "HIGH": "bold red",
    "MEDIUM": "yellow",
    "LOW": "cyan",
    "INFORMATIONAL": "dim",
    "Done": "green",
    "Errored": "red",
}
WHOLE = frozenset({"SCAN"})  # columns that a narrow terminal does not fold: what stands there is copied


def say(sentence: str) -> None:
    print(f"cascan: {plain(sentence)}", file=sys.stderr)


def print_json(value: Any) -> None:
    """Piped, text stays as it is; in a terminal all beyond ASCII is escaped, since some of it moves the cursor."""
    import msgspec  # noqa: PLC0415 - only who asks for JSON

    escaped = sys.stdout.isatty() or (sys.stdout.encoding or "utf-8").lower() != "utf-8"
    print(json.dumps(msgspec.to_builtins(value), indent=2, ensure_ascii=escaped))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """One line a row. Piped: columns joined by tabs, without a header, for cut and awk."""
    texts = [[plain(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in texts:
            print("\t".join(row))
        return
    from rich.console import Console  # noqa: PLC0415 - 30 ms that only a terminal needs
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in WHOLE)
    for row in texts:
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    Console().print(table)


def plain(value: object) -> str:
    """The value in one line of printable characters."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))


class Progress:
    """One line on stderr that says what is going on; nothing where nobody watches."""

    def __init__(self) -> None:
        self._watched = sys.stderr.isatty()
        self._last = ""

    def __enter__(self) -> Progress:
        return self

    def show(self, sentence: str) -> None:
        if self._watched and sentence != self._last:
            sys.stderr.write(f"\r\x1b[2K{plain(sentence)}")
            sys.stderr.flush()
            self._last = sentence

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._last:
            sys.stderr.write("\r\x1b[2K")
