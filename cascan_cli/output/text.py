"""What a person reads: tables with colour in a terminal, plain columns when piped; progress and remarks on stderr.

Text from scanned hosts is data: control characters are shown, never sent to the terminal.
"""

from __future__ import annotations

import json
import os
import sys
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


def print_message(sentence: str) -> None:
    print(f"cascan: {printable(sentence)}", file=sys.stderr)


def discard_output() -> None:
    """What is left unwritten, and cannot be written, goes nowhere without a word at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_json(value: Any) -> None:
    """Piped, text stays as it is; in a terminal all beyond ASCII is escaped, since some of it moves the cursor."""
    import msgspec  # only who asks for JSON

    escaped = sys.stdout.isatty() or (sys.stdout.encoding or "utf-8").lower() != "utf-8"
    print(json.dumps(msgspec.to_builtins(value), indent=2, ensure_ascii=escaped))


def printable(value: object) -> str:
    """The value in one line of printable characters."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))


def pluralize(count: int, one: str, several: str = "") -> str:
    """`1 shard`, `2 shards`; `several` where an s does not do."""
    return f"{count} {one if count == 1 else several or one + 's'}"


class Progress:
    """One line on stderr that says what is going on; nothing where nobody watches."""

    def __init__(self) -> None:
        self._watched = sys.stderr.isatty()
        self._last = ""

    def __enter__(self) -> Progress:
        return self

    def show(self, sentence: str) -> None:
        if self._watched and sentence != self._last:
            sys.stderr.write(f"\r\x1b[2K{printable(sentence)}")
            sys.stderr.flush()
            self._last = sentence

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._last:
            sys.stderr.write("\r\x1b[2K")
