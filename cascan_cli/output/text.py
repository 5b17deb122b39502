"""Text for people and programs: JSON on standard output, messages and progress on standard error.

Text from scanned hosts is data: control characters are escaped, never sent to the terminal.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cascan_cli.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from types import TracebackType

DEFAULT_WIDTH = 80  # columns, where there is no terminal
STYLES = {
    "HIGH": "bold red",
    "MEDIUM": "yellow",
    "LOW": "cyan",
    "INFORMATIONAL": "dim",
    "Done": "green",
    "Errored": "red",
}


def print_message(sentence: str) -> None:
    """Print a message on standard error."""
    print(f"cascan: {printable(sentence)}", file=sys.stderr)


def discard_output() -> None:
    """Discard what is still to be written, so that Python reports no error when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write_text(text: str, output: Path | None) -> None:
    """Write the text to the file; None: print it. Raises: BadInput: the file cannot be written."""
    if output is None:
        print(text, end="")
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise BadInput(f"{output}: {exc.strerror}") from exc


def print_json(value: Any) -> None:
    """Print the value as JSON.

    In a terminal, non-ASCII is escaped, since some of it moves the cursor.
    """
    print(_to_text(value))


def print_json_list(values: Iterable[Any]) -> None:
    """Print the values as `print_json` prints a list of them, each as it comes."""
    separator = "["
    for value in values:
        # A line break in a text is escaped, so every line begins a value
        element = _to_text(value).replace("\n", "\n  ")
        sys.stdout.write(f"{separator}\n  {element}")
        separator = ","
    print("[]" if separator == "[" else "\n]")


def _to_text(value: Any) -> str:
    import msgspec  # only JSON output needs it

    is_utf8 = (sys.stdout.encoding or "utf-8").lower() == "utf-8"
    ensure_ascii = sys.stdout.isatty() or not is_utf8
    if not ensure_ascii:
        # A tenth of the time of json.dumps, which counts where a million findings are printed
        with suppress(UnicodeEncodeError):  # a surrogate, which has no bytes in UTF-8
            return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    return json.dumps(msgspec.to_builtins(value), indent=2, ensure_ascii=ensure_ascii)


def printable(value: object) -> str:
    """The value as one line of printable characters."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))


def printable_lines(text: str) -> str:
    """The text with its lines and tabs, and its other characters printable."""
    return "".join(char if char in "\n\t" else printable(char) for char in text)


def pluralize(count: int, singular: str, plural: str = "") -> str:
    """`1 shard`, `2 shards`. `plural` is needed where the plural is not formed with an s."""
    return f"{count} {singular if count == 1 else plural or singular + 's'}"


def shorten_list(texts: Sequence[str], shown: int) -> str:
    """`a b c and 4 more`: the first texts, and the number of the others."""
    others = len(texts) - shown
    return " ".join(texts[:shown]) + (f" and {others} more" if others > 0 else "")


class Progress:
    """A line on standard error that shows the progress; nothing unless that is a terminal.

    `line_every_s`: elsewhere, print a line of its own at most so often; None: none.
    """

    def __init__(self, line_every_s: float | None = None) -> None:
        self.is_terminal = sys.stderr.isatty()
        self._line_every_s = line_every_s
        self._printed_at = time.monotonic()
        self._shown = ""

    def __enter__(self) -> Progress:
        return self

    @property
    def is_due(self) -> bool:
        """Whether a new sentence would be shown now."""
        waited_s = time.monotonic() - self._printed_at
        return self.is_terminal or (self._line_every_s is not None and waited_s >= self._line_every_s)

    def show(self, sentence: str) -> None:
        if sentence == self._shown or not self.is_due:
            return
        if self.is_terminal:
            sys.stderr.write(f"\r\x1b[2K{_cut_to_width(printable(sentence))}")
            sys.stderr.flush()
            self._shown = sentence
        else:
            print_message(sentence)
            self._shown, self._printed_at = sentence, time.monotonic()

    def print_above(self, sentence: str) -> None:
        """Print a line that stays, above the one that changes."""
        if not self.is_terminal:
            print_message(sentence)
            return
        sys.stderr.write(f"\r\x1b[2K{printable(sentence)}\n")
        shown, self._shown = self._shown, ""
        if shown:
            self.show(shown)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._shown and self.is_terminal:
            sys.stderr.write("\r\x1b[2K")


def find_terminal_width() -> int:
    """The columns of the terminal, as shutil finds them, which takes 3 ms to import."""
    with suppress(KeyError, ValueError):
        if (columns := int(os.environ["COLUMNS"])) > 0:
            return columns
    try:
        output = sys.__stdout__.fileno() if sys.__stdout__ else -1
        return os.get_terminal_size(output).columns or DEFAULT_WIDTH
    except (ValueError, OSError):  # output is closed, or not to a terminal
        return DEFAULT_WIDTH


def _cut_to_width(text: str) -> str:
    """The beginning of the text that fits in one line of the terminal."""
    width = find_terminal_width() - 1
    return text if len(text) <= width else f"{text[: width - 1]}…"
